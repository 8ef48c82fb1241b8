"""What forbids a predictor: every fault has a code, a message that says what to do, no traces."""

from __future__ import annotations

import pandas as pd
import pytest

from featrix_server.engine import (
    PredictorError,
    PredictorOptions,
    check_target,
    fit_predictor,
    read_table,
)


@pytest.fixture
def table_of(tmp_path):
    """A canonical table of a frame."""

    def make(frame, name="labels"):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        return read_table(tmp_path / f"{name}.csv", tmp_path / f"{name}.parquet")

    return make


@pytest.fixture
def odd(table_of):
    """A table with impossible targets, and a schema of its good columns."""
    from featrix_server.engine import detect_schema

    n = 60
    frame = pd.DataFrame(
        {
            "x": range(n),
            "y": [i % 7 for i in range(n)],
            "flag": ["a", "b"] * (n // 2),
            "three": ["a", "b", "c"] * (n // 3),
            "one": ["a"] * n,
            "flat": [2.5] * n,
            "lonely": ["a"] * 30 + ["b"] * 29 + ["c"],
            "words": ["red", "green", "1"] * (n // 3),
            "rare": ["a", "b"] + [None] * (n - 2),
            "small": ["a"] * (n - 3) + ["b"] * 3,
        }
    )
    table = table_of(frame, "table")
    return table, detect_schema(table, ignore_columns=list(frame.columns[2:]))


def refuse(odd, code, field, *words, labels=None, target="flag", **options):
    table, schema = odd
    with pytest.raises(PredictorError) as caught:
        check_target(
            table, schema, PredictorOptions(target, **({"target_type": "set"} | options)), labels
        )
    error = caught.value
    assert (error.code, error.field) == (code, field)
    assert error.hint, "says what to do"
    for word in words:
        assert word in str(error)
    return error


@pytest.mark.parametrize(
    ("code", "field", "words", "wish"),
    [
        ("unknown_target", "target_column", ["'flg'", "'flag'"], {"target": "flg"}),
        ("constant_target", "target_column", ["'a'"], {"target": "one"}),
        ("constant_target", "target_column", ["2.5"], {"target": "flat", "target_type": "scalar"}),
        ("class_too_small", "target_column", ["'c'", "2 labelled"], {"target": "lonely"}),
        (
            "target_not_numeric",
            "target_column",
            ["'red'", "20 of 60"],
            {"target": "words", "target_type": "scalar"},
        ),
        ("too_few_labels", "target_column", ["2 labelled"], {"target": "rare"}),
        ("unknown_label", "rare_label_value", ["'z'", "'a'"], {"rare_label_value": "z"}),
        ("bad_cost", "cost_false_positive", ["0"], {"cost_false_positive": 0}),
        ("bad_cost", "cost_false_negative", ["-1"], {"cost_false_negative": -1.0}),
        ("bad_cost", "cost_false_negative", ["nan"], {"cost_false_negative": float("nan")}),
        ("class_imbalance_mismatch", "class_imbalance", ["'b'"], {"class_imbalance": {"a": 1}}),
        (
            "class_imbalance_mismatch",
            "class_imbalance",
            ["'z'"],
            {"class_imbalance": {"a": 1, "b": 1, "z": 1}},
        ),
        ("bad_share", "class_imbalance", ["-1"], {"class_imbalance": {"a": -1, "b": 2}}),
        (
            "not_applicable",
            "cost_false_positive",
            ["3"],
            {"target": "three", "cost_false_positive": 1},
        ),
        (
            "not_applicable",
            "rare_label_value",
            ["two classes"],
            {"target": "three", "rare_label_value": "a"},
        ),
        (
            "not_applicable",
            "class_imbalance",
            ["numbers"],
            {"target": "y", "target_type": "scalar", "class_imbalance": {"a": 1}},
        ),
        ("unknown_target_type", "target_type", ["'numeric'"], {"target_type": "numeric"}),
        ("bad_epochs", "epochs", ["-1"], {"epochs": -1}),
    ],
)
def test_impossible_wishes(odd, code, field, words, wish):
    refuse(odd, code, field, *words, **wish)


def test_labels_tables_that_do_not_match(odd, table_of):
    half = table_of(pd.DataFrame({"flag": ["a", "b"] * 15}))
    refuse(odd, "labels_do_not_match", "labels", "30 rows", "60 rows", labels=half)
    other = table_of(pd.DataFrame({"flag": ["a", "b"] * 30, "unrelated": range(60)}))
    refuse(odd, "labels_do_not_match", "labels", "unrelated", labels=other)
    ids = pd.DataFrame({"__featrix_row_id": range(30, 90), "flag": ["a", "b"] * 30})
    refuse(odd, "labels_do_not_match", "labels", "30 of 60", "60", labels=table_of(ids))
    twice = pd.DataFrame({"__featrix_row_id": [5] * 60, "flag": ["a", "b"] * 30})
    refuse(odd, "labels_not_unique", "labels", "row 5", labels=table_of(twice))
    nameless = table_of(pd.DataFrame({"flg": ["a", "b"] * 30}))
    refuse(odd, "unknown_target", "target_column", "labels table", labels=nameless)


def test_labels_tables_that_match(odd, table_of):
    table, schema = odd
    options = PredictorOptions("flag", "set")
    flags = ["a", "b"] * 30
    by_place = table_of(pd.DataFrame({"flag": flags}), "place")
    joined = pd.DataFrame({"__featrix_row_id": range(40), "flag": flags[:40]})
    by_id = table_of(joined, "id")
    rows = table_of(pd.DataFrame({"x": range(40), "flag": flags[:40]}), "rows")
    for labels, count in ((None, 60), (by_place, 60), (by_id, 40), (rows, 40)):
        summary = check_target(table, schema, options, labels)
        assert (summary.kind, summary.labelled) == ("binary", count)
    missing = [one for one in summary.warnings if one["type"] == "LABEL_COLUMNS_MISSING"]
    assert missing[0]["columns"] == ["y"]


def test_what_a_target_is(odd):
    table, schema = odd

    def check(target, **wish):
        options = PredictorOptions(target, **({"target_type": "set"} | wish))
        return check_target(table, schema, options)

    tied = check("flag")
    assert (tied.classes, tied.counts, tied.positive) == (("b", "a"), (30, 30), "a")
    assert check("flag", rare_label_value=" b ").positive == "b"
    assert check("small").positive == "b", "the less frequent"
    assert "CLASS_TOO_SMALL" in [one["type"] for one in check("small").warnings]
    three = check("three")
    assert (three.kind, three.classes, three.positive) == ("multiclass", ("a", "b", "c"), None)
    numbers = check("y", target_type="scalar")
    assert (numbers.kind, numbers.classes, numbers.labelled) == ("regression", (), 60)
    assert check("y", class_imbalance=dict.fromkeys(range(7), 1)).kind == "multiclass"
    assert check("flag", class_imbalance={"a": 9, "b": 1}, cost_false_positive=3).kind == "binary"


def test_nothing_is_left_behind(odd, tmp_path):
    table, schema = odd
    options = PredictorOptions("one", "set")
    folder = tmp_path / "predictor"
    with pytest.raises(PredictorError):
        fit_predictor(table, schema, tmp_path, folder, options, lambda report: "continue", info={})
    assert not folder.exists()
