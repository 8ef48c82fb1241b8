"""Objects of another client: the methods of the common reference, and no others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from featrix_notebook import (
    PredictionHeatmap,
    SphereExplorer,
    TrainingDashboard,
    TrainingMovie,
    link,
)
from tests.notebook.test_sphere_frames import payload
from tests.waiting import wait_until


class FoundationalModel:
    """As the reference has it; what it does not promise is not here."""

    id, name, status, dimensions, epochs = "theirs-1", "theirs", "done", 8, 3

    def refresh(self) -> None:
        """It has ended."""

    def get_projections(self) -> dict[str, Any]:
        return payload()

    def encode(self, records: list[dict[str, Any]], short: bool = False) -> list[Any]:
        return [[0.0, 3.0, 4.0] for _ in records]  # and no dicts, as the reference has it

    def get_training_metrics(self) -> dict[str, Any]:
        losses = {"train_loss": [3.0, 2.0, 1.5], "val_loss": [3.1, 2.2, 1.9]}
        return {"data": {"epochs": [1, 2, 3], **losses}}


class Predictor:
    """A binary classifier with neither events nor refresh() nor lists of epochs."""

    id, name, status, target_column = "p-1", None, "done", "churn"

    def get_metrics(self) -> dict[str, Any]:
        rows = [{"epoch_idx": i, "loss": 1 / (i + 1), "metrics": {"auc": 0.5}} for i in range(4)]
        return {"training_metrics": {"target_column": "churn", "training_info": rows}}

    def predict(self, record: dict[str, Any]) -> Any:
        share = float(record["age"]) / 100
        return SimpleNamespace(
            prediction_uuid="u", predicted_class="yes" if share > 0.5 else "no",
            probability=share, confidence=abs(share - 0.5) * 2, error=None,
            probabilities={"no": 1 - share, "yes": share},
        )  # fmt: skip

    def batch_predict(self, records: Any, show_progress: bool = True) -> list[Any]:
        return [self.predict(record) for record in records]


def curves(dashboard: TrainingDashboard) -> Any:
    """The log of its one run, complete."""
    (source,) = dashboard._sources
    wait_until(lambda: not getattr(source, "reading", False), "it has read to the end")
    return source.log


def test_a_model_on_the_sphere_and_its_curve() -> None:
    model = FoundationalModel()
    sphere, dashboard = SphereExplorer(model), TrainingDashboard(model)
    assert sphere.summary().startswith("6 rows of theirs on a sphere")
    assert curves(dashboard).column("validation_loss").tolist() == [3.1, 2.2, 1.9]
    assert dashboard.to_html()
    assert len(link(sphere, dashboard).widgets) == 2
    assert sphere.place({"age": 41}).xyz == (0, 0.6, 0.8)
    dashboard.close()
    sphere.close()


def test_a_movie_says_what_a_model_lacks() -> None:
    with pytest.raises(TypeError, match="FoundationalModel"):
        TrainingMovie(FoundationalModel())


def test_a_predictor_s_curve_comes_from_its_metrics() -> None:
    dashboard = TrainingDashboard({"churn": Predictor()})
    log = curves(dashboard)
    assert log.column("epoch").tolist() == [1, 2, 3, 4]
    assert log.column("loss").tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    assert log.column("auc").tolist() == [0.5] * 4
    dashboard.close()
    older = Predictor()
    older.id, older.target_column = "p-0", "plan"
    dashboard = TrainingDashboard(older)
    assert len(curves(dashboard)) == 0
    assert "newest predictor only, that of churn" in dashboard._sources[0].info.note
    dashboard.close()


def test_a_predictor_fills_a_heatmap() -> None:
    axes = {"age": [20, 40, 60], "plan": ["basic", "pro"]}
    heatmap = PredictionHeatmap(Predictor(), axes=axes)
    assert heatmap.wait(20)
    assert np.allclose(heatmap.values, np.array([[0.8, 0.6, 0.4]] * 2).T), "probability of no"
    heatmap.close()
