"""Column types: what is found, why, and what is left out."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featrix_server.engine import schema as schema_module
from featrix_server.engine.schema import Exclusion, Schema, detect_schema
from featrix_server.engine.table import Table, TableError, read_table

N = 300
WORDS = ["quick", "brown", "foxes", "jump", "over", "lazy", "dogs", "seven", "wizards", "toxic"]
MakeTable = Callable[..., Table]


@pytest.fixture
def make(tmp_path: Path) -> MakeTable:
    """A table of the given columns."""

    def run(**columns: list[Any]) -> Table:
        pq.write_table(pa.table(columns), tmp_path / "source.parquet")
        return read_table(tmp_path / "source.parquet", tmp_path / "table.parquet")

    return run


def column(kind: str, n: int = N) -> list[Any]:
    """Values of one kind of column."""
    rng = random.Random(5)
    letters = "abcdefghijklmnopqrstuvwxyz"
    make: dict[str, Callable[[int], Any]] = {
        "real": lambda row: rng.random(),
        "serial": lambda row: row,
        "grade": lambda row: rng.randint(1, 5),
        "flag": lambda row: rng.randint(0, 1),
        "bool": lambda row: rng.random() < 0.5,
        "category": lambda row: rng.choice(WORDS),
        "money": lambda row: f"${rng.randint(1, 9999):,}.50",
        "nearly numbers": lambda row: "?" if row == 7 else f"{rng.randint(1, 999)}",
        "mixed": lambda row: rng.choice(WORDS) if row % 3 else str(rng.randint(1, 5000)),
        "text": lambda row: " ".join(rng.choices(WORDS, k=9)),
        "name": lambda row: f"{rng.choice(WORDS).title()}, {rng.choice(WORDS)} {row % 90}",
        "invented": lambda row: "".join(
            rng.choices(["lon", "don", "ber", "lin", "par", "is"], k=5)
        ),
        "iso": lambda row: f"2024-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}T10:00:00Z",
        "day first": lambda row: f"{rng.randint(1, 28)}/{rng.randint(1, 12)}/2023",
        "email": lambda row: f"{rng.choice(WORDS)}{row}@example.com",
        "url": lambda row: f"https://example.com/{rng.choice(WORDS)}/{row}",
        "json": lambda row: json.dumps({"a": row, "b": rng.choice(WORDS)}),
        "array": lambda row: rng.sample(WORDS, 3),
        "piped": lambda row: "|".join(rng.sample(WORDS, rng.randint(1, 4))),
        "zip": lambda row: f"{rng.choice([501, 1002, 90210, 10001]):05}",
        "uuid": lambda row: str(uuid.UUID(int=rng.getrandbits(128))),
        "hash": lambda row: hashlib.sha1(str(row).encode()).hexdigest(),
        "number plate": lambda row: f"ID-{row:05}",
        "letters": lambda row: "".join(rng.choices(letters, k=12)),
        "constant": lambda row: "same",
        "null": lambda row: "NA",
        "sparse": lambda row: "x" if row % 20 == 0 else None,
    }
    return [make[kind](row) for row in range(n)]


@pytest.mark.parametrize(
    ("kind", "type"),
    [
        *(("real", "scalar"), ("serial", "scalar"), ("grade", "scalar"), ("money", "scalar")),
        *(("nearly numbers", "scalar"), ("flag", "set"), ("bool", "set"), ("category", "set")),
        *(("mixed", "mixed"), ("text", "free_string"), ("name", "free_string")),
        *(("invented", "free_string"), ("iso", "timestamp"), ("day first", "timestamp")),
        *(("email", "email"), ("url", "url"), ("json", "json"), ("array", "list")),
        *(("piped", "list"), ("zip", "set")),
    ],
)
def test_types_are_found_with_a_reason(make: MakeTable, kind: str, type: str) -> None:
    found = detect_schema(make(this=column(kind), other=column("real")))
    [spec] = [spec for spec in found.columns if spec.name == "this"]
    assert spec.type == type
    assert len(spec.reason) > 5
    assert spec.null_rate == 0
    assert spec.n_unique > 1


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *(("uuid", "random_string"), ("hash", "random_string"), ("number plate", "random_string")),
        *(("letters", "random_string"), ("constant", "constant"), ("null", "all_null")),
        ("sparse", "mostly_null"),
    ],
)
def test_what_says_nothing_is_left_out_with_a_reason(make: MakeTable, kind: str, code: str) -> None:
    found = detect_schema(make(this=column(kind), a=column("real"), b=column("flag")))
    assert [spec.name for spec in found.columns] == ["a", "b"]
    [exclusion] = found.excluded
    assert (exclusion.name, exclusion.code) == ("this", code)
    assert len(exclusion.reason) > 5


def test_ignored_and_reserved_columns(make: MakeTable) -> None:
    table = make(
        a=column("real"), b=column("flag"), c=column("real"), __featrix_row_id=column("serial")
    )
    found = detect_schema(table, ignore_columns=["c"])
    assert [(one.name, one.code) for one in found.excluded] == [
        ("c", "ignored"), ("__featrix_row_id", "reserved"),
    ]  # fmt: skip


def test_options_are_found(make: MakeTable) -> None:
    found = detect_schema(make(tags=column("piped"), day=column("day first")))
    assert found.columns[0].options == {"delimiter": "|"}
    assert found.columns[1].options == {"day_first": True}


def test_overrides_win_over_types_and_exclusions(make: MakeTable) -> None:
    table = make(id=column("uuid"), grade=column("grade"), tags=column("piped"))
    overrides = {"id": "free_string", "grade": "set", "tags": {"type": "list", "delimiter": ";"}}
    found = detect_schema(table, column_overrides=overrides)
    assert [spec.type for spec in found.columns] == ["free_string", "set", "list"]
    assert found.columns[2].options == {"delimiter": ";"}
    assert all("caller" in spec.reason for spec in found.columns)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ({"ignore_columns": ["Grad"]}, "unknown_column", "'grade'"),
        ({"column_overrides": {"txet": "set"}}, "unknown_column", "'text'"),
        ({"column_overrides": {"text": "scaler"}}, "unknown_type", "'scalar'"),
        ({"column_overrides": {"text": "scalar"}}, "override_mismatch", "0%"),
        ({"column_overrides": {"text": {"delimiter": "|"}}}, "unknown_type", "list"),
    ],
)
def test_wrong_arguments_name_what_is_near(
    make: MakeTable, arguments: dict[str, Any], code: str, says: str
) -> None:
    with pytest.raises(TableError) as caught:
        detect_schema(make(text=column("text"), grade=column("grade")), **arguments)
    assert caught.value.code == code
    assert caught.value.field == next(iter(arguments))
    assert says in str(caught.value)


def test_too_few_rows_and_columns(make: MakeTable) -> None:
    with pytest.raises(TableError, match="19 rows"):
        detect_schema(make(a=column("real", 19), b=column("flag", 19)))
    with pytest.raises(
        TableError, match=r"only 1 usable column;.*'id' \(random_string\)"
    ) as caught:
        detect_schema(make(a=column("real"), id=column("uuid")))
    assert caught.value.code == "too_few_columns"


def test_warnings(make: MakeTable, tmp_path: Path) -> None:
    table = make(
        a=column("real", 40), b=column("nearly numbers", 40), c=[1.5, None, None, 2.5] * 10
    )
    assert [warning["type"] for warning in detect_schema(table).warnings] == [
        "FEW_ROWS",
        "MANY_NULLS",
    ]
    [unparseable] = detect_schema(make(a=column("real"), b=column("nearly numbers"))).warnings
    assert unparseable["type"] == "UNPARSEABLE"
    assert unparseable["columns"] == ["b"]
    lines = [f"{row},{row % 7}" for row in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *lines, "1"]))
    [bad] = detect_schema(read_table(tmp_path / "t.csv", tmp_path / "t.parquet")).warnings
    assert bad["type"] == "BAD_LINES"
    assert "line 202" in bad["message"]


def test_round_trip_through_json(make: MakeTable) -> None:
    found = detect_schema(make(a=column("piped"), b=column("real"), id=column("uuid")))
    assert Schema.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    assert isinstance(found.excluded[0], Exclusion)


def test_large_tables_are_sampled_but_missing_values_are_exact(
    make: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make(a=[None, 1.5, 2.5] * 1000, b=column("category", 3000))
    monkeypatch.setattr(schema_module, "SAMPLE_ROWS", 500)
    found = detect_schema(table, seed=1)
    assert found == detect_schema(table, seed=1)
    assert found.columns[0].null_rate == pytest.approx(1 / 3)
    assert [spec.type for spec in found.columns] == ["scalar", "set"]
