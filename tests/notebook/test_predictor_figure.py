"""`NotebookHelper.single_predictor_training`: finished, running, of classes and of numbers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from featrix_client import FeatrixSphere, FoundationalModel, Predictor
from featrix_notebook import NotebookHelper
from featrix_notebook.figures.base import FeatrixFigure
from featrix_server.engine.predictors.curves import class_curves, number_curves
from tests.client.predicting import ModelServer
from tests.client.scripted import ScriptedServer

ROC, PR, CALIBRATION = "ROC", "Precision and recall", "Calibration"


@pytest.fixture
def model() -> Iterator[ModelServer]:
    model = ModelServer()
    server = ScriptedServer(model)
    model.featrix = FeatrixSphere(server.url)
    yield model
    server.close()


def panels(figure: FeatrixFigure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in figure.axes if axes.get_title()}


def legend(axes: Axes) -> list[str]:
    found = axes.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def epochs(n: int, **scores: float) -> list[dict[str, Any]]:
    """The reports of `n` epochs of a network and two further members."""
    rows = []
    for epoch in range(n + 2):
        network = epoch < n
        rows.append(
            {
                "epoch_idx": epoch,
                "phase": "network" if network else "ensemble",
                "loss": 1 / (epoch + 1) if network else None,
                "validation_loss": 1 / (epoch + 1) + 0.1,
                "metrics": {name: value - 0.1 / (epoch + 1) for name, value in scores.items()},
            }
        )
    return rows


def tell(model: ModelServer, kind: str = "set", **told: Any) -> Predictor:
    model.add("p1", target_column_type=kind)
    model.metrics = {"training_metrics": {"target_column": "churned", **told}}
    return model.featrix.predictor("p1", "m-1")


def test_signature() -> None:
    method = NotebookHelper().single_predictor_training
    assert list(inspect.signature(method).parameters) == ["predictor"]


def test_a_real_predictor(trained: FoundationalModel, featrix: FeatrixSphere) -> None:
    predictor = trained.create_binary_classifier("sex", cost_false_negative=3)
    notebook = featrix.get_notebook()
    running = notebook.single_predictor_training(predictor)
    assert "in six panels" in running.alt
    predictor.wait_for_training(poll_interval=1, show_progress=False)
    figure = notebook.single_predictor_training(predictor)
    found = panels(figure)
    assert len(found) == 6
    assert f"ROC-AUC {predictor.auc:.4g}" in figure.alt
    (line,) = [line for line in found[ROC].lines if line.get_label() in ("F", "M")]
    area = np.trapezoid(line.get_ydata(), line.get_xdata())
    assert area == pytest.approx(predictor.auc, abs=0.01)
    told = predictor.get_metrics()
    cost = found["Cost by threshold"]
    assert "false negative 3" in cost.get_ylabel()
    assert legend(cost) == ["cost a row", f"threshold in use: {told['threshold']['value']:.3g}"]
    assert "15 bins" in legend(found[CALIBRATION])[-1]
    for axes in found.values():
        assert axes.get_xlabel()
        assert axes.get_ylabel()
    assert figure._repr_mimebundle_()[0]["image/png"].startswith(b"\x89PNG")


def test_checkpoints_are_marked_at_their_epochs(model: ModelServer) -> None:
    rng = np.random.default_rng(0)
    chances = rng.dirichlet([1, 1], 300)
    y = (rng.random(300) < chances[:, 1]).astype(int)
    predictor = tell(
        model,
        training_info=epochs(8, roc_auc=0.9, pr_auc=0.7),
        final_metrics={"roc_auc": 0.91, "pr_auc": 0.72},
        checkpoints={"roc_auc": {"epoch": 7}, "pr_auc": {"epoch": 3}},
        threshold={"value": 0.4},
        curves=class_curves(chances, y, ("no", "yes"), None, None),
    )
    found = panels(NotebookHelper().single_predictor_training(predictor))
    ranking, loss = found["Ranking by epoch"], found["Loss"]
    stars = [[line for line in axes.lines if line.get_marker() == "*"] for axes in (ranking, loss)]
    assert [[line.get_xdata()[0] for line in some] for some in stars] == [[7, 3], [3, 7]]
    assert "one more member each" in legend(loss)
    assert len({line.get_linestyle() for line in ranking.lines if len(line.get_xdata()) == 10}) == 2
    assert legend(found["F1 and errors by threshold"])[:2] == ["F1", "share of errors"]
    title = found[ROC].get_legend()
    assert title is not None
    assert title.get_title().get_text() == "area 0.910"


def test_epochs_after_the_other_members_go_on_as_a_line(model: ModelServer) -> None:
    further = [{**one, "epoch_idx": 5 + i} for i, one in enumerate(epochs(2)[:2])]
    predictor = tell(model, training_info=epochs(3) + further)
    loss = panels(NotebookHelper().single_predictor_training(predictor))["Loss"]
    drawn = [np.asarray(line.get_ydata(), float) for line in loss.lines]
    assert [np.isfinite(y).tolist() for y in drawn if len(y) == 7] == 2 * [
        [True, True, True, False, False, True, True]
    ]
    assert [len(y) for y in drawn if len(y) != 7] == [2]


@pytest.mark.parametrize("kinds", [3, 14])
def test_many_classes(model: ModelServer, kinds: int) -> None:
    rng = np.random.default_rng(0)
    chances, y = rng.dirichlet([1] * kinds, 900), rng.integers(kinds, size=900)
    labels = tuple(f"$class_{k}" for k in range(kinds))
    predictor = tell(
        model,
        training_info=epochs(4, roc_auc=0.9, pr_auc=0.7),
        final_metrics={"roc_auc": 0.5, "confusion_matrix": rng.integers(9, size=(kinds, kinds))
                       .tolist()},
        curves=class_curves(chances, y, labels, None, None),
    )  # fmt: skip
    figure = NotebookHelper().single_predictor_training(predictor)
    found = panels(figure)
    taken = found["Which class is taken for which"]
    assert np.shape(taken.images[0].get_array()) == (kinds, kinds)
    names = [label.get_text() for label in taken.get_yticklabels()]
    assert (names == list(labels)) == (kinds == 3)
    assert legend(found[ROC])[1:] == list(labels[:6])
    assert figure._repr_mimebundle_()[0]["image/png"]


def test_numbers(model: ModelServer) -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(50, 10, 1_000)
    predicted = actual + rng.normal(0, 3, 1_000)
    predictor = tell(
        model,
        "scalar",
        training_info=epochs(5, r2=0.9, rmse=3.2, mae=2.5),
        final_metrics={"r2": 0.91, "rmse": 3.0, "mae": 2.4},
        checkpoints={"rmse": {"epoch": 5}},
        curves=number_curves(predicted, actual, np.full(1_000, 4.9), 0),
    )
    figure = NotebookHelper().single_predictor_training(predictor)
    found = panels(figure)
    assert found["Error by epoch"].get_ylabel() == "error (units of churned)"
    told = legend(found["Predicted and actual"])
    inside = next(int(text[8:-1]) for text in told if text.startswith("within: "))
    assert 84 < inside < 96
    assert "R² 0.91" in figure.alt
    assert figure._repr_mimebundle_()[0]["image/png"]


@pytest.mark.parametrize("kind", ["set", "scalar"])
@pytest.mark.parametrize("done", [False, True])
def test_what_is_not_there_is_said(model: ModelServer, kind: str, done: bool) -> None:
    told: dict[str, Any] = {"final_metrics": {"accuracy": 0.8}} if done else {}
    figure = NotebookHelper().single_predictor_training(tell(model, kind, **told))
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert len(texts) == 6
    wanted = "This server does not tell." if done else "There once the training is finished."
    assert wanted in texts
    assert "No epoch is finished yet." in figure.alt
