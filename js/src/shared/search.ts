/**
 * Search over columns that are in the page, for a page with no kernel behind it. A kernel searches
 * by the same rules: `featrix_notebook/explore/search.py`.
 */

export type ColumnKind = "number" | "date" | "text";

export interface TextColumn {
  kind: "text";
  /** The distinct texts, and which of them a row has: -1 for missing. */
  texts: readonly string[];
  places: Int32Array;
}

export interface NumberColumn {
  /** Dates are seconds since 1970. NaN is missing. */
  kind: "number" | "date";
  numbers: Float64Array;
}

export type SearchColumn = TextColumn | NumberColumn;

export interface Question {
  /** Place of a column; null asks of every one that the question makes sense for. */
  column: number | null;
  operator: string;
  value: string;
}

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  equals: (a, b) => a === b,
  differs: (a, b) => a !== b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};
const DAY_S = 86_400;

/** What can be asked of a kind of column. */
export function operatorsOf(kind: ColumnKind | "any"): string[] {
  const presence = ["missing", "present"];
  if (kind === "any") return ["contains", "equals", "missing"];
  return kind === "text" ? ["contains", "equals", "differs", ...presence] : [...Object.keys(COMPARE), ...presence];
}

/** The points that answer the question, ascending; columns that the page has no room for are null. */
export function search(columns: readonly (SearchColumn | null)[], question: Question): Uint32Array {
  const { column, operator, value } = question;
  let tests: Test[] = [];
  if (column !== null) {
    const asked = columns[column];
    if (!asked) throw new Error("This page does not hold the values of that column: that needs the notebook.");
    tests = [test(asked, operator, value)];
  } else {
    let problem: unknown = new Error("This page does not hold the values of the rows: that needs the notebook.");
    for (const one of columns) {
      if (!one) continue;
      const asked = operator === "contains" && one.kind !== "text" ? "equals" : operator;
      try {
        tests.push(test(one, asked, value));
      } catch (error) {
        problem = error;
      }
    }
    if (!tests.length) throw problem;
  }
  const first = columns.find((one) => one !== null);
  const n = first ? (first.kind === "text" ? first.places : first.numbers).length : 0;
  const found: number[] = [];
  for (let point = 0; point < n; point++) if (tests.some((holds) => holds(point))) found.push(point);
  return Uint32Array.from(found);
}

type Test = (point: number) => boolean;

function test(column: SearchColumn, operator: string, value: string): Test {
  const missing = column.kind === "text"
    ? (point: number) => column.places[point]! < 0
    : (point: number) => Number.isNaN(column.numbers[point]!);
  if (operator === "missing") return missing;
  if (operator === "present") return (point) => !missing(point);
  if (value === "") throw new Error("Say what to look for; rows without a value are 'missing'.");
  return column.kind === "text" ? textTest(column, operator, value) : numberTest(column, operator, value);
}

function textTest({ texts, places }: TextColumn, operator: string, value: string): Test {
  const wanted = operator === "contains" ? value.toLowerCase() : value;
  const answers = texts.map((text) => {
    if (operator === "contains") return text.toLowerCase().includes(wanted);
    return (text === wanted) === (operator === "equals");
  });
  return (point) => answers[places[point]!] ?? false;
}

function numberTest({ kind, numbers }: NumberColumn, operator: string, value: string): Test {
  const compare = COMPARE[operator];
  if (!compare) throw new Error(`Numbers cannot be asked whether one ${operator} another.`);
  const wanted = kind === "date" ? moment(value) : Number(value.trim().replaceAll(",", ""));
  if (Number.isNaN(wanted)) {
    throw new Error(kind === "date" ? `'${value}' is no date: write it as 2024-01-31.` : `'${value}' is no number.`);
  }
  const day = kind === "date" && value.trim().length <= 10 ? DAY_S : 0;
  return (point) => {
    const number = numbers[point]!;
    const whole = day ? Math.floor(number / day) * day : number;
    return !Number.isNaN(number) && compare(whole, wanted);
  };
}

/** Seconds since 1970 of a date; without a zone it is read as UTC, like in the kernel. */
function moment(value: string): number {
  const text = value.trim().replace(" ", "T");
  const zoned = /(z|[+-]\d\d:?\d\d)$/i.test(text) || text.length <= 10;
  return Date.parse(zoned ? text : `${text}Z`) / 1000;
}
