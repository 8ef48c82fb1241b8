"""Filters of records: the conditions of an SQL ``WHERE``, and nothing else of SQL.

The text is parsed here and never handed to a database, so it can name columns and values and do
nothing else::

    condition := condition OR condition | condition AND condition | NOT condition
               | ( condition ) | column | column test
    test      := = != <> < <= > >= value | IS [NOT] NULL | [NOT] IN (value, ...)
               | [NOT] BETWEEN value AND value | [NOT] LIKE 'text' | [NOT] ILIKE 'text'
    column    := name | "any name" | `any name`
    value     := number | 'text' | TRUE | FALSE | NULL

As in SQL a comparison with a missing value is neither true nor false, and a record is kept only
if the condition is true. A number and a text that reads as one compare as numbers.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_CHARS = 10_000
MAX_DEPTH = 50
"""Levels of parentheses and NOT."""

Record = dict[str, Any]
Test = Callable[[Record], bool | None]  # None: neither true nor false
Value = float | str | bool | None

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<text>'(?:[^']|'')*')
      | (?P<name>"(?:[^"]|"")+"|`[^`]+`)
      | (?P<word>[^\W\d]\w*)
      | (?P<sign><>|!=|<=|>=|==|[=<>(),+-])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS = frozenset(
    ("AND", "OR", "NOT", "IS", "NULL", "IN", "BETWEEN", "LIKE", "ILIKE", "TRUE", "FALSE")
)


class FilterError(ValueError):
    """A text is not a condition; the message says where it stops being one."""


@dataclass(frozen=True)
class Filter:
    """A condition on records.

    Attributes
    ----------
    columns : frozenset of str
        The columns it looks at.
    test : callable
        Tells of a record whether the condition is true, false or neither (None).
    """

    columns: frozenset[str]
    test: Test


def parse_filter(text: str) -> Filter:
    """Read a condition.

    Raises
    ------
    FilterError
        If it is none.
    """
    if len(text) > MAX_CHARS:
        raise FilterError(f"it has {len(text):,} characters; at most {MAX_CHARS:,} are read")
    parser = _Parser(text)
    test = parser.condition()
    if parser.kind != "end":
        parser.fail("the end, AND or OR")
    return Filter(frozenset(parser.columns), test)


class _Parser:
    """A recursive descent over the tokens of one text; it stands on one token at a time."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self.columns: set[str] = set()
        self._depth = 0
        self.kind = self.token = ""
        self._advance()

    def _advance(self) -> None:
        self.kind, self.token, self._at = next(self._tokens)

    def _take(self, *wanted: str) -> str | None:
        """Step over one of these words or signs, and return it; None if another token stands."""
        said = self.token.upper() if self.kind == "word" else self.token
        if self.kind not in ("word", "sign") or said not in wanted:
            return None
        self._advance()
        return said

    def _require(self, wanted: str) -> None:
        if self._take(wanted) is None:
            self.fail(wanted)

    def fail(self, wanted: str) -> NoReturn:
        """Say what should stand here instead."""
        found = repr(self.token) if self.kind != "end" else "the end"
        raise FilterError(f"at character {self._at + 1} stands {found}, where {wanted} should be")

    def condition(self) -> Test:
        tests = [self._conjunction()]
        while self._take("OR"):
            tests.append(self._conjunction())
        return tests[0] if len(tests) == 1 else _any_of(tests)

    def _conjunction(self) -> Test:
        tests = [self._negation()]
        while self._take("AND"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else _all_of(tests)

    def _negation(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterError(f"it is nested more than {MAX_DEPTH} levels deep")
        if self._take("NOT"):
            test = _not(self._negation())
        elif self._take("("):
            test = self.condition()
            self._require(")")
        else:
            test = self._predicate()
        self._depth -= 1
        return test

    def _predicate(self) -> Test:
        column = self._column()
        if sign := self._take(*_COMPARISONS):
            return _comparison(column, sign, self._value())
        if self._take("IS"):
            negated = self._take("NOT")
            self._require("NULL")
            return _is_present(column) if negated else _is_missing(column)
        negated = self._take("NOT")
        test = self._listed(column)
        if test is not None:
            return _not(test) if negated else test
        if negated:
            self.fail("IN, BETWEEN or LIKE")
        return _comparison(column, "=", True)

    def _listed(self, column: str) -> Test | None:
        """Read what may stand behind ``NOT``; None if nothing of it is there."""
        if self._take("IN"):
            return _any_of([_comparison(column, "=", value) for value in self._values()])
        if self._take("BETWEEN"):
            low = self._value()
            self._require("AND")
            high = self._value()
            return _all_of([_comparison(column, ">=", low), _comparison(column, "<=", high)])
        if word := self._take("LIKE", "ILIKE"):
            if self.kind != "text":
                self.fail("a text in single quotes")
            return _like(column, str(self._value()), ignore_case=word == "ILIKE")
        return None

    def _column(self) -> str:
        name = self.token
        if self.kind == "name":
            quote = name[0]
            name = name[1:-1].replace(quote * 2, quote)
        elif self.kind != "word" or name.upper() in _WORDS:
            self.fail("the name of a column")
        self._advance()
        self.columns.add(name)
        return name

    def _values(self) -> list[Value]:
        self._require("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._require(")")
        return values

    def _value(self) -> Value:
        if self.kind == "text":
            text = self.token[1:-1].replace("''", "'")
            self._advance()
            return text
        if word := self._take("TRUE", "FALSE", "NULL"):
            return {"TRUE": True, "FALSE": False, "NULL": None}[word]
        sign = self._take("-", "+")
        if self.kind != "number":
            self.fail("a number, a text in single quotes, TRUE, FALSE or NULL")
        whole = self.token.isdecimal() and len(self.token) <= 19
        number = int(self.token) if whole else float(self.token)
        self._advance()
        return -number if sign == "-" else number


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield kind, text and place of every token, and then the end for ever."""
    at = 0
    while True:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise FilterError(f"at character {at + 1} stands {text[at]!r}, which means nothing")
        yield found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)
        at = found.end()


def _any_of(tests: list[Test]) -> Test:
    def test(record: Record) -> bool | None:
        answers = [one(record) for one in tests]
        return True if True in answers else None if None in answers else False

    return test


def _all_of(tests: list[Test]) -> Test:
    def test(record: Record) -> bool | None:
        answers = [one(record) for one in tests]
        return False if False in answers else None if None in answers else True

    return test


def _not(inner: Test) -> Test:
    def test(record: Record) -> bool | None:
        answer = inner(record)
        return None if answer is None else not answer

    return test


def _is_missing(column: str) -> Test:
    return lambda record: record.get(column) is None


def _is_present(column: str) -> Test:
    return lambda record: record.get(column) is not None


def _comparison(column: str, sign: str, wanted: Value) -> Test:
    compare = _COMPARISONS[sign]

    def test(record: Record) -> bool | None:
        pair = _alike(record.get(column), wanted)
        return None if pair is None else compare(*pair)

    return test


def _alike(value: Any, wanted: Value) -> tuple[Any, Any] | None:
    """Return both as one type that can be compared; None if there is none."""
    if value is None or wanted is None or isinstance(value, list | dict):
        return None
    pair: tuple[Any, Any]
    if isinstance(value, bool) or isinstance(wanted, bool):
        pair = _truth(value), _truth(wanted)
    elif isinstance(value, str) and isinstance(wanted, str):
        return value, wanted
    else:
        pair = _number(value), _number(wanted)
    return None if None in pair else pair


def _truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _number(value: Any) -> float | int | None:
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return None
    return None if number != number else number


def _like(column: str, pattern: str, ignore_case: bool) -> Test:
    matches = re.compile(_as_regex(pattern), re.DOTALL | (re.I if ignore_case else 0)).match

    def test(record: Record) -> bool | None:
        value = record.get(column)
        if value is None or isinstance(value, list | dict):
            return None
        return matches(str(value)) is not None

    return test


def _as_regex(pattern: str) -> str:
    """Translate ``%`` and ``_``, so that matching takes no more than a look at every place.

    Each piece between two ``%`` may as well stand where it first fits, so those are atomic
    groups, which are never tried again further on.
    """
    pieces = [
        "".join("." if char == "_" else re.escape(char) for char in piece)
        for piece in pattern.split("%")
    ]
    if len(pieces) == 1:
        return f"{pieces[0]}\\Z"
    middle = "".join(f"(?>.*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{middle}.*{pieces[-1]}\\Z"


def matching(items: Iterable[tuple[int, Record]], chosen: Filter) -> list[int]:
    """Return the ids of the records that a filter keeps.

    Raises
    ------
    FilterError
        If a column of the filter is in none of the records, which is a slip of the pen.
    """
    unseen = set(chosen.columns)
    kept = []
    record = None
    for key, record in items:
        if unseen:
            unseen.difference_update(record)
        if chosen.test(record):
            kept.append(key)
    if unseen and record is not None:
        raise FilterError(f"no record has the column {min(unseen)!r}")
    return kept
