"""Displays of predictors, cards, grids and feedback: what they say, and that they hold together."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from featrix_client import FoundationalModel, ModelCard, Predictor
from featrix_notebook import display
from tests.client.predicting import ModelServer

from .test_display import Checked

FINAL = {
    "accuracy": 0.9,
    "roc_auc": 0.95,
    "pr_auc": 0.8,
    "f1": 0.7,
    "confusion_matrix": [[70, 5], [5, 20]],
}


def text_of(html: str) -> str:
    """What a reader reads."""
    Checked(re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL))
    return re.sub(r"<[^>]+>", " ", html)


def told(model: ModelServer, **metrics: Any) -> None:
    model.metrics = {"training_metrics": {"target_column": "churned", **metrics}}


# ------------------------------------------------------------------------- predictors


def test_scores_come_with_their_meaning(model: ModelServer, predictor: Predictor) -> None:
    told(model, final_metrics=FINAL, calibration={"ece": 0.021})
    text = text_of(display.predictor_html(predictor))
    for words in (
        "always saying the most frequent class: 0.750",
        "0.5 is luck",
        "balance of precision and recall",
        "0.021",
        "On rows held back from its training",
    ):
        assert words in text


def test_errors_are_told_in_units_of_the_target(model: ModelServer) -> None:
    model.add("p9", target_column="price <$>", target_column_type="scalar", accuracy=None)
    told(model, final_metrics={"r2": 0.5, "rmse": 1234.5, "mae": 900.0})
    text = text_of(display.predictor_html(model.featrix.predictor("p9", "m-1")))
    assert "mean error in units of price &lt;$&gt;" in text
    assert "0 is always saying the mean" in text
    assert "accuracy" not in text


def test_metrics_of_another_shape_are_left_out(model: ModelServer, predictor: Predictor) -> None:
    told(model, final_metrics={"accuracy": "good", "confusion_matrix": "?"}, training_info=["?"])
    assert "good" not in text_of(display.predictor_html(predictor))
    told(model, final_metrics="none")
    assert "0.800" in text_of(display.predictor_html(predictor))  # from the status


def test_a_threshold_is_marked_on_the_bar_of_its_class(predictor: Predictor) -> None:
    html = display.result_html(predictor.predict({"age": 70, "plan": "gold"}))
    assert html.count("left:40%") == 1


# ------------------------------------------------------------------------------ cards


def test_a_real_card_is_a_page_whose_sections_open(trained: FoundationalModel) -> None:
    html = display.card_html(trained.get_model_card())
    sections = [tag for tag, _ in Checked(html).tags if tag == "details"]
    assert len(sections) > 6
    text = text_of(html)
    for words in ("animals", "Columns", "Decisions, and why", "300 rows", "weight"):
        assert words in text
    assert "species_id" in text  # left out, with its reason


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"columns": None, "warnings": "?", "model_quality": [], "data_summary": 3},
        {"columns": ["a", {"name": "b", "null_rate": None}], "warnings": ["?"]},
        {"odd": {str(i): {str(j): [j] for j in range(99)} for i in range(99)}},
        {"odd": [[1, [2]], {"a": 1}], "deep": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}},
    ],
)
def test_a_card_of_any_shape_is_shown(card: dict[str, Any]) -> None:
    html = display.card_html(ModelCard(card))
    text_of(html)
    assert len(html) < 2_000_000


# ------------------------------------------------------------------------------ grids


def pixels(html: str) -> np.ndarray:
    (image,) = [attributes for tag, attributes in Checked(html).tags if tag == "img"]
    data = base64.b64decode(str(image["src"]).removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGBA"))


def test_a_grid_is_a_picture_of_its_cells(predictor: Predictor) -> None:
    grid = predictor.predict_grid(2, (4, 3))
    grid.set_axis_labels(["age", "<plan>"])
    assert "0 of 12 filled" in text_of(display.grid_html(grid))
    grid.predict({"age": 70, "plan": "basic"}, (3, 1))
    grid.predict({"age": 10, "plan": "basic"}, (0, 1))
    grid.process_batch()
    grid.predict({"age": 20}, (1, 1))
    html = display.grid_html(grid)
    shown = pixels(html)
    assert shown.shape == (4, 3, 4)
    assert (shown[..., 3] > 0).sum() == 2
    assert shown[3, 1, :3].sum() > shown[0, 1, :3].sum()  # more is lighter
    text = text_of(html)
    for words in ("2 of 12 filled", "1: .process_batch()", "at age = 3, &lt;plan&gt; = 1"):
        assert words in text


@pytest.mark.parametrize(("degrees", "shape"), [(1, (300,)), (3, (2, 3, 4)), (2, (1, 1))])
def test_grids_of_any_shape(predictor: Predictor, degrees: int, shape: tuple[int, ...]) -> None:
    grid = predictor.predict_grid(degrees, shape)
    steps = {"age": range(shape[0]), "plan": ["gold", "basic", None], "visits": range(4)}
    axes = {name: list(values)[:n] for (name, values), n in zip(steps.items(), shape, strict=False)}
    grid.fill({}, axes)
    shown = pixels(display.grid_html(grid))
    assert shown[..., 3].min() == 255
    assert max(shown.shape) <= 300


# --------------------------------------------------------------------------- feedback


def test_feedback_says_whether_it_was_sent(predictor: Predictor) -> None:
    feedback = predictor.predict({"age": 70}).send_feedback("yes")
    assert "not sent yet" in text_of(display.feedback_html(feedback))
    assert "not sent yet" in repr(feedback)
    feedback.send()
    assert "not sent" not in text_of(display.feedback_html(feedback)) + repr(feedback)
