"""Bad input to predictors, on the real embedded server: what to do is said, nothing stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_client import FeatrixSphere, FeatrixWarning, FoundationalModel, Predictor

State = tuple[Any, ...]


@pytest.fixture
def state(
    parent: FoundationalModel, featrix: FeatrixSphere, server_home: Path
) -> Callable[[], State]:
    """A function that tells what there is: predictors, models, and files of both."""

    def tell() -> State:
        files = {path for path in (server_home / "sessions").rglob("*") if path.is_file()}
        predictors = [one.id for one in parent.list_predictors()]
        return predictors, featrix.list_sessions(), files

    return tell


def labels(words: list[Any], **columns: Any) -> dict[str, Any]:
    return {"target_column": "answer", "labels_df": pd.DataFrame({**columns, "answer": words})}


BINARY = "create_binary_classifier"
MULTI = "create_multi_classifier"
NUMBER = "create_regressor"
ROW = "__featrix_row_id"


@pytest.mark.parametrize(
    ("create", "wish", "says", "field"),
    [
        # An unknown target.
        (BINARY, {"target_column": "plam"}, r"no column 'plam'(.|\n)*mean 'plan'", "target_column"),
        (NUMBER, {"target_column": "x"}, r"no column 'x'(.|\n)*age, plan, spend", "target_column"),
        # A constant one, or one class only.
        (
            BINARY,
            {"target_column": "same"},
            r"all labels of 'same' are 'x'(.|\n)*another class",
            "",
        ),
        (NUMBER, {"target_column": "seven"}, "all labels of 'seven' are 7", "target_column"),
        (MULTI, labels(["a"] * 300), "all labels of 'answer' are 'a'", "target_column"),
        (MULTI, labels(["a", None, ""] * 100), "all labels of 'answer' are 'a'", "target_column"),
        (MULTI, labels([None] * 300), "0 labelled rows; at least 10", "target_column"),
        # A class with one row.
        (MULTI, {"target_column": "lonely"}, r"'one'(.|\n)*at least 2 labelled rows", ""),
        (BINARY, {"target_column": "lonely"}, "single row", "target_column"),
        # Three classes for a binary classifier; text for a regressor.
        (BINARY, {"target_column": "group"}, r"3 classes(.|\n)*create_multi_classifier", ""),
        (NUMBER, {"target_column": "plan"}, r"0 of 300 values(.|\n)*train a classifier", ""),
        # Labels that match nothing, or half.
        (BINARY, labels(["a", "b"] * 20), r"does not match(.|\n)*model's table \(300", "labels"),
        (BINARY, labels(["a", "b"] * 20, shoe=44), r"columns shoe, answer(.|\n)*match", "labels"),
        (
            BINARY,
            labels(["a", "b"] * 20, **{ROW: range(280, 320)}),
            r"20 of 40 values(.|\n)*0 to 299",
            "labels",
        ),
        (BINARY, labels(["a", "b"] * 20, **{ROW: [7] * 40}), "row 7 of(.|\n)*one row", "labels"),
        (
            BINARY,
            {"target_column": "answer", "labels_df": pd.DataFrame({"age": range(40)})},
            "labels table has no column 'answer'",
            "target_column",
        ),
        # Costs and shares.
        (
            BINARY,
            {"target_column": "plan", "cost_false_positive": 0},
            "cost_false_positive must be a finite number above 0, not 0",
            "cost_false_positive",
        ),
        (
            BINARY,
            {"target_column": "plan", "cost_false_negative": -1},
            "cost_false_negative must be a finite number above 0, not -1",
            "cost_false_negative",
        ),
        (
            BINARY,
            {"target_column": "plan", "class_imbalance": {"gold": 1}},
            r"class_imbalance lacks \['basic'\](.|\n)*each of the classes",
            "class_imbalance",
        ),
        (
            MULTI,
            {"target_column": "group", "class_imbalance": {"high": 1, "low": 1, "mid": 1, "x": 1}},
            r"class_imbalance names \['x'\]",
            "class_imbalance",
        ),
        (
            BINARY,
            {"target_column": "plan", "rare_label_value": "red"},
            r"'red' is no class(.|\n)*'gold'",
            "rare_label_value",
        ),
    ],
)
def test_what_cannot_be_learned_leaves_nothing_behind(parent, state, create, wish, says, field):
    before = state()
    with pytest.raises(ValueError, match=says) as caught:
        getattr(parent, create)(**wish)
    assert caught.value.field == (field or "target_column")
    assert caught.value.hint
    assert state() == before


def test_labels_that_know_half_of_the_columns_are_learned_with_a_warning(parent, featrix, people):
    df = people(120, seed=5)
    given = pd.DataFrame({"age": df["age"], "answer": np.where(df["spend"] > 50, "a", "b")})
    with pytest.warns(FeatrixWarning, match=r"lacks \d of the model's \d columns"):
        made = parent.create_binary_classifier("answer", labels_df=given, epochs=1)
    featrix.foundational_model(made.session_id).delete()
    assert made.id not in [one.id for one in parent.list_predictors()]


def test_a_parent_that_still_trains(featrix, people):
    fm = featrix.create_foundational_model(name="early", df=people(120), epochs=1)
    try:
        with pytest.raises(ValueError, match=r"not trained yet(.|\n)*fm.wait_for_training\(\)"):
            fm.create_binary_classifier("plan")
        with pytest.raises(ValueError, match=r"not trained yet(.|\n)*fm.wait_for_training\(\)"):
            fm.create_regressor(**labels([1, 2] * 60))
        assert fm.list_predictors() == []
    finally:
        fm.delete()


def test_a_parent_that_is_gone(featrix, people):
    fm = featrix.create_foundational_model(name="gone", df=people(120), epochs=1)
    fm.delete()
    with pytest.raises(Exception, match="There is no model") as caught:
        fm.create_binary_classifier("plan")
    assert caught.value.status == 404


# ------------------------------------------------------------------- questions


def test_unknown_columns(classifier):
    result = classifier.predict({"age": 30, "shoe": 44})
    assert result.ignored_query_columns == ["shoe"]
    for record in ({"shoe": 44}, {"plan": "gold"}, {}):  # the target does not help either
        with pytest.raises(
            ValueError, match=r"none of the predictor's columns(.|\n)*age"
        ) as caught:
            classifier.predict(record)
        assert caught.value.field == "query_record"
        with pytest.raises(ValueError, match="none of the predictor's columns"):
            classifier.explain(record)


def test_batches(classifier):
    for nothing in ([], pd.DataFrame({"age": []})):
        with pytest.raises(ValueError, match=r"records is empty(.|\n)*at least one row"):
            classifier.batch_predict(nothing)
    good, bad, empty = classifier.batch_predict([{"age": 30}, {"shoe": 44}, {}])
    assert (good.error, bad.prediction, empty.prediction) == (None, None, None)
    assert "none of the predictor's columns" in bad.error
    assert (bad.ignored_query_columns, empty.ignored_query_columns) == (["shoe"], [])
    assert bad.available_query_columns == good.available_query_columns
    frame = classifier.batch_predict([{"age": 30}, {"shoe": 44}]).to_frame()
    assert frame["error"].notna().tolist() == [False, True]


def test_csv_files(classifier, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("age,shoe\n70,44\n20\nold,44\n1,2,3\n")
    fine, short, odd, long = classifier.predict_csv_file(path)
    assert [one.error for one in (fine, odd)] == [None, None]
    assert odd.guardrails["age"].startswith("unparseable:")
    assert short.error == "Line 3 of the file has 1 values for 2 columns."
    assert long.error == "Line 5 of the file has 3 values for 2 columns."
    for one in (fine, short, odd, long):
        assert one.ignored_query_columns == ["shoe"]
        assert one.available_query_columns == fine.available_query_columns
    path.write_text("shoe,hat\n44,7\n")
    (unknown,) = classifier.predict_csv_file(path)
    assert "none of the predictor's columns" in unknown.error
    path.write_text("age\n")
    with pytest.raises(ValueError, match=r"no records(.|\n)*first line names the columns"):
        classifier.predict_csv_file(path)


def test_preferences(classifier):
    with pytest.raises(ValueError, match=r"'roc_auc' or 'pr_auc', not 'f1'"):
        classifier.predict({"age": 30}, best_metric_preference="f1")


def test_grids(classifier: Predictor):
    for freedom, shape in ((2, (3,)), (3, (2, 2)), (2, (0, 2)), (4, (2, 2, 2, 2)), (1, (2.5,))):
        with pytest.raises(ValueError, match=r"must be"):
            classifier.predict_grid(freedom, shape)
    grid = classifier.predict_grid(2, (2, 3))
    for position in ((2, 0), (0, 3), (-1, 0), (0,), (0, 0, 0), "00"):
        with pytest.raises(ValueError, match=r"no position of a grid(.|\n)*\(0, 0\) to \(1, 2\)"):
            grid.predict({"age": 30}, position)
    with pytest.raises(ValueError, match=r"2 x 2 values, the grid 2 x 3 cells(.|\n)*predict_grid"):
        grid.fill({}, {"age": [1, 2], "spend": [3, 4]})
    with pytest.raises(ValueError, match="No cell of the grid is filled"):
        grid.get_optimal_position()
    assert (grid.queued, grid.process_batch()) == (0, 0)


@pytest.mark.parametrize("base", [{}, {"age": 50}])
def test_grid_axes_that_the_model_does_not_know(classifier, base):
    grid = classifier.predict_grid(1, (2,))
    for column in ("shoe", "plan"):  # plan is the target itself
        with pytest.raises(ValueError, match=rf"the column '{column}'(.|\n)*columns are: age"):
            grid.fill(base, {column: ["gold", "basic"]})
    both = classifier.predict_grid(2, (2, 2))
    with pytest.raises(ValueError, match="does not use the column 'shoe'"):
        both.fill(base, {"age": [20, 60], "shoe": [44, 45]})
    for one in (grid, both):
        assert np.isnan(one.values).all()
        assert one.queued == 0
        assert one.axis_labels[0] == "axis 0"
