"""Reading tables: every format read right, every fault told, nothing left behind."""

from __future__ import annotations

import csv
import datetime
import decimal
import errno
import gzip
import io
import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featrix_server.engine.table import Table, TableError, open_table, read_table

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "é"}, {"a": None, "b": "z, w"}]
CSV = 'a,b\n1,x\n2,é\n,"z, w"\n'


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Write bytes under a name, read them, and see that only the result is left."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()

    def run(name: str, content: bytes | str, **options: Any) -> Table:
        source = tmp_path / "in" / name
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
        dest = tmp_path / "out" / "table.parquet"
        dest.unlink(missing_ok=True)
        try:
            return read_table(source, dest, **options)
        finally:
            left = [path.name for path in (tmp_path / "out").iterdir()]
            assert left in ([], ["table.parquet"])

    return run


def values(table: Table) -> list[dict[str, Any]]:
    """All rows."""
    return table.rows(range(table.n_rows))


def types(table: Table) -> dict[str, str]:
    """The Arrow type of each column."""
    return {name: str(table.column(name).type) for name in table.columns}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", CSV),
        ("t.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        (
            "t.csv",
            gzip.compress(CSV[:8].encode(), mtime=0) + gzip.compress(CSV[8:].encode(), mtime=0),
        ),
        ("t.csv", CSV.replace("\n", "\r\n")),
        ("t.csv", CSV.encode("utf-8-sig")),
        ("t.csv", CSV.encode("utf-16")),
        ("t.csv", CSV.encode("utf-16-be")),
        ("t.csv", CSV.encode("cp1252")),
        ("t.tsv", 'a\tb\n1\tx\n2\té\n\t"z, w"\n'),
        ("t.txt", "a;b\n1;x\n2;é\n;z, w\n"),
        ("t.data", "a|b\n1|x\n2|é\nNA|z, w\n"),
        ("t.csv", "\n\na,b\n1,x\n2,é\nnull,'z, w'\n"),
        ("t.json", json.dumps(ROWS)),
        ("t.json.gz", gzip.compress(json.dumps(ROWS, indent=1).encode(), mtime=0)),
        ("t.json", json.dumps({"a": [1, 2, None], "b": ["x", "é", "z, w"]})),
        (
            "t.json",
            json.dumps(
                {
                    "a": {"0": 1, "1": 2, "2": None},
                    "b": dict(zip("012", ["x", "é", "z, w"], strict=True)),
                }
            ),
        ),
        ("t.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("t.json", "\n".join(map(json.dumps, ROWS))),
    ],
)
def test_every_format_gives_the_same_rows(read: Any, name: str, content: bytes | str) -> None:
    table = read(name, content)
    assert values(table) == ROWS
    assert types(table) == {"a": "int64", "b": "string"}
    assert table.report.bad_line_count == 0


def test_parquet_is_flattened_to_plain_types(read: Any) -> None:
    moment = datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)
    source = pa.table(
        {
            "small": pa.array([1, None], pa.int16()),
            "float": [math.inf, math.nan],
            "decimal": [decimal.Decimal("1.5"), None],
            "category": pa.array(["u", None]).dictionary_encode(),
            "list": [["x", "y"], None],
            "struct": [{"k": 1}, {"k": 2}],
            "time": pa.array([moment, None], pa.timestamp("ns", tz="UTC")),
            "bytes": [b"ok", b"\xff"],
            "null": pa.nulls(2),
            "long": pa.array([datetime.timedelta(seconds=2), None]),
            "Small": [True, None],
        }
    )
    buffer = io.BytesIO()
    pq.write_table(source, buffer)
    table = read("t.parquet", buffer.getvalue())
    first, second = values(table)
    assert first == {
        "small": 1, "float": None, "decimal": 1.5, "category": "u", "list": '["x", "y"]',
        "struct": '{"k": 1}', "time": moment, "bytes": "ok", "null": None, "long": 2.0,
        "Small": True,
    }  # fmt: skip
    assert second["bytes"] == "ff"
    assert table.report.notes == ("column 'float': 1 infinite values count as missing",)
    assert values(read("t.parquet.gz", gzip.compress(buffer.getvalue()))) == [first, second]


def test_types_hold_for_the_whole_file(read: Any) -> None:
    lines = ["flag,whole,real,zip,late,long,comma"]
    lines += [
        f"{'TRUE' if row % 2 else 'false'},{row},{row}e-1,00{row},{row},{10**19 + row},x"
        for row in range(999)
    ]
    lines += [",,inf,,x,,y"]
    table = read("t.csv", "\n".join(lines))
    assert types(table) == {
        "flag": "bool", "whole": "int64", "real": "double", "zip": "string", "late": "string",
        "long": "string", "comma": "string",
    }  # fmt: skip
    assert table.rows([5])[0]["zip"] == "005"
    assert table.rows([999])[0]["real"] is None
    assert "infinite" in table.report.notes[0]


def test_missing_words_are_missing_and_values_are_values(read: Any) -> None:
    table = read("t.csv", "a,b\nNA,0\nNaN,unknown\nnull,None\n  ,x\n,-\n")
    assert table.column("a").null_count == 5
    assert table.column("b").to_pylist() == ["0", "unknown", "None", "x", "-"]


def test_decimal_commas_where_the_comma_sets_nothing_apart(read: Any) -> None:
    table = read("t.csv", "a;b\n1,5;1,500\n2.000,25;2,500\n")
    assert table.column("a").to_pylist() == [1.5, 2000.25]
    assert table.column("b").to_pylist() == ["1,500", "2,500"]  # could mean either


def test_ragged_lines_are_reported_with_their_place(read: Any) -> None:
    text = 'a,b\n1,2\n"two\nlines",3\n4\n5,6,7\n8,"x"y\n' + "9,9\n" * 10
    table = read("t.csv", text)
    assert table.n_rows == 12
    assert table.report.bad_line_count == 3
    assert [(bad.line, bad.text) for bad in table.report.bad_lines] == [
        (5, "4"), (6, "5,6,7"), (7, '8,"x"y'),
    ]  # fmt: skip
    assert "columns" in table.report.bad_lines[0].reason


def test_an_unclosed_quote_does_not_swallow_the_rest_unseen(read: Any) -> None:
    table = read("t.csv", "a,b\n" + "1,2\n" * 20 + '3,"open\n4,5\n')
    assert table.n_rows == 20
    assert table.report.bad_lines[0].line == 22


def test_broken_json_lines_are_reported(read: Any) -> None:
    table = read("t.jsonl", '{"a":1}\n{"a":2\n[3]\n{"a":NaN,"c":[1]}\n{"a":5}\n')
    assert [row["a"] for row in values(table)] == [1, None, 5]
    assert [bad.line for bad in table.report.bad_lines] == [2, 3]


def test_names_differing_by_case_only_and_odd_names(read: Any) -> None:
    table = read("t.csv", '"a","A"," b.c ","d`""e",\n1,2,3,4,5\n')
    assert table.columns == ("a", "A", "b.c", 'd`"e', "column_5")
    assert list(values(table)[0].values()) == [1, 2, 3, 4, 5]
    assert table.column("A").to_pylist() == [2]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("t.csv", "", "empty"),
        ("t.csv", "\n \n", "empty"),
        ("t.csv", "a,b,c\n", "no_rows"),
        ("t.csv", os.urandom(4096), "binary"),
        ("t.csv", "a,a\n1,2\n", "duplicate_column"),
        ("t.csv", "a,b\n1\n2\n3,4,5\n6,7\n", "bad_lines"),
        ("t.csv", ",".join(f"c{index}" for index in range(6000)) + "\n1\n", "too_many_columns"),
        ("t.csv.gz", gzip.compress(os.urandom(9999).hex().encode())[:4000], "broken_gzip"),
        ("t.parquet", b"PAR1" + b"x" * 100, "broken_parquet"),
        ("t.parquet", "a,b\n1,2\n", "broken_parquet"),
        ("t.xlsx", b"PK\x03\x04" + b"x" * 100, "unsupported_format"),
        ("t.json", '[{"a": 1}, {"a"', "bad_json"),
        ("t.json", "[1, 2]", "not_records"),
        ("t.json", '"text"', "not_records"),
        ("t.json", "[]", "no_rows"),
        ("t.json", '{"a": [1], "b": [1, 2]}', "ragged_columns"),
        ("t.jsonl", "nothing\nof\nthe kind\n", "not_records"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16")[:-1], "bad_encoding"),
    ],
)
def test_faults_are_named_and_leave_nothing(
    read: Any, name: str, content: bytes | str, code: str
) -> None:
    with pytest.raises(TableError) as caught:
        read(name, content)
    assert caught.value.code == code
    assert len(str(caught.value)) > 10


def test_a_missing_file_a_folder_and_foreign_addresses(tmp_path: Path) -> None:
    for source, code in [
        (tmp_path / "no.csv", "missing_file"),
        (tmp_path, "not_a_file"),
        ("http://example.invalid/t.csv", "unsupported_url"),
    ]:
        with pytest.raises(TableError) as caught:
            read_table(source, tmp_path / "t.parquet")
        assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_gzip_bomb_is_stopped_early(read: Any) -> None:
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 2_000_000)
    with pytest.raises(TableError, match="more than 1 MB"):
        read("t.csv.gz", bomb, max_bytes=1 << 20)


def test_a_failed_read_keeps_the_old_table(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(CSV)
    (tmp_path / "bad.csv").write_text("")
    old = read_table(tmp_path / "good.csv", tmp_path / "t.parquet")
    with pytest.raises(TableError):
        read_table(tmp_path / "bad.csv", tmp_path / "t.parquet")
    assert values(open_table(old.path)) == ROWS


def test_a_full_disk_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full refuses every write, as a full disk does."""
    (tmp_path / "t.csv").write_text(CSV)
    real = pq.ParquetWriter
    monkeypatch.setattr(
        pq, "ParquetWriter", lambda path, *rest, **more: real("/dev/full", *rest, **more)
    )
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is looked at below
        read_table(tmp_path / "t.csv", tmp_path / "out.parquet")
    assert caught.value.errno == errno.ENOSPC
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv"]


def test_five_thousand_columns(read: Any) -> None:
    header = ",".join(f"c{index}" for index in range(5000))
    line = ",".join("ab" if index % 2 else "1.5" for index in range(5000))
    table = read("t.csv", "\n".join([header, *[line] * 20]))
    assert len(table.columns) == 5000
    assert table.column("c4998").to_pylist() == [1.5] * 20


def test_rows_keep_their_order_over_row_groups(tmp_path: Path) -> None:
    n = 150_000
    text = "row,text\n" + "".join(f"{row},text {row}\n" for row in range(n))
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv", tmp_path / "t.parquet")
    assert table.column("row").to_pylist() == list(range(n))
    wanted = [149_999, 3, 70_000, 3]
    assert [row["row"] for row in table.rows(wanted)] == wanted
    assert sum(batch.num_rows for batch in table.batches(10_000, ["text"])) == n
    assert table.rows([]) == []
    with pytest.raises(IndexError):
        table.rows([n])
    with pytest.raises(KeyError):
        table.column("nothing")


def test_names_that_look_like_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "[a] * b?"
    folder.mkdir()
    (folder / "t [1].csv").write_text(CSV)
    assert values(read_table(folder / "t [1].csv", folder / "t*.parquet")) == ROWS


def test_opening_again_gives_the_same_table(read: Any) -> None:
    table = read("t.csv", "a,b\n1,2\n3\n4,5\n")
    assert open_table(table.path) == table
    assert table.report.bad_line_count == 1


def test_only_canonical_files_are_opened(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    with pytest.raises(TableError, match="not written by read_table"):
        open_table(tmp_path / "t.parquet")


CELL = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), max_codepoint=0x2FFF), min_size=1, max_size=8
).map(lambda text: "v" + text)


@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=3, max_size=12),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_csv_written_by_python_comes_back(
    tmp_path: Path, rows: list[tuple[str, str, str]], delimiter: str, newline: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=newline)
    writer.writerows([("one", "two", "three"), *rows])
    (tmp_path / "t.csv").write_bytes(out.getvalue().encode())
    table = read_table(tmp_path / "t.csv", tmp_path / "t.parquet")
    assert [tuple(row.values()) for row in values(table)] == [
        tuple(cell.strip() for cell in row) for row in rows
    ]


@given(
    st.binary(min_size=1, max_size=300),
    st.sampled_from(["t.csv", "t.json", "t.jsonl", "t.parquet", "t.gz"]),
)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_junk_is_read_or_refused_clearly(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with suppress(TableError):
        read_table(tmp_path / name, tmp_path / "out.parquet")
    (tmp_path / name).unlink()
    assert {path.name for path in tmp_path.iterdir()} <= {"out.parquet"}
