"""Predictors, their answers and their grids in a notebook."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from featrix_client import APIEndpoint, FeatrixSphere, Predictor
from featrix_notebook import TrainingDashboard, display
from tests.client.predicting import STREAM, ModelServer
from tests.client.scripted import Answer, ScriptedServer
from tests.waiting import wait_until


@pytest.fixture
def model() -> Iterator[ModelServer]:
    model = ModelServer()
    server = ScriptedServer(model)
    model.featrix = FeatrixSphere(server.url)
    model.add("p1", name="<churn>")
    row = {"epoch_idx": 0, "loss": 0.7, "validation_loss": 0.8}
    rows = [row, row | {"epoch_idx": 1, "loss": 0.5, "metrics": {"roc_auc": 0.9}}]
    model.metrics = {"training_metrics": {"target_column": "churned", "training_info": rows}}
    yield model
    server.close()


@pytest.fixture
def predictor(model: ModelServer) -> Predictor:
    return model.featrix.predictor("p1", "m-1")


# ------------------------------------------------------------------------- grids


def test_a_heatmap_shows_what_is_there_and_what_is_not(predictor: Predictor) -> None:
    grid = predictor.predict_grid(2, (4, 3))
    grid.set_axis_labels(["age", "plan"])
    grid.predict({"age": 70, "plan": "basic"}, (3, 1))
    grid.predict({"age": 10, "plan": "basic"}, (0, 1))
    grid.process_batch()
    figure = grid.plot_heatmap()
    axes = figure.axes[0]
    (image,) = axes.images
    shown = np.ma.filled(np.ma.masked_invalid(image.get_array()), np.nan)
    assert np.array_equal(shown, grid.values, equal_nan=True)
    assert axes.patch.get_hatch() == "///"  # shines through unfilled cells
    assert axes.yaxis_inverted()  # axis 0 downwards
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("age", "plan")
    (star,) = [line for line in axes.lines if line.get_marker() == "*"]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (1, 3)
    assert figure.alt == (
        "Probability of churned = yes over age, plan; 2 of 12 cells filled; "
        f"largest value {grid.values[3, 1]:.4g} at age = 3, plan = 1."
    )


def test_the_threshold_is_drawn(predictor: Predictor) -> None:
    grid = predictor.predict_grid(2, (8, 2))
    grid.fill({}, {"age": np.linspace(10, 80, 8), "plan": ["gold", None]})
    axes = grid.plot_heatmap((5, 4)).axes[0]
    lines = [path.vertices for part in axes.collections for path in part.get_paths()]
    heights = np.concatenate(lines)[:, 1]
    assert 2 < heights.min() < heights.max() < 5  # between ages 30 and 60
    assert [label.get_text() for label in axes.get_xticklabels()] == ["gold", "missing"]


def test_one_axis_is_a_line(predictor: Predictor) -> None:
    grid = predictor.predict_grid(1, (5,))
    for place in (0, 1, 4):
        grid.predict({"age": 20 * place}, place)
    grid.process_batch()
    axes = grid.plot_heatmap().axes[0]
    assert np.array_equal(axes.lines[0].get_ydata(), grid.values, equal_nan=True)
    assert sum(patch.get_hatch() == "///" for patch in axes.patches) == 2
    assert any(set(line.get_ydata()) == {0.4} for line in axes.lines)


def test_three_axes_are_slices_along_the_last(model: ModelServer, predictor: Predictor) -> None:
    model.kind = "regression"
    grid = predictor.predict_grid(3, (4, 2, 3))
    axes = {"age": [10, 20, 30, 40], "plan": ["gold", "basic"], "visits": [1, 2, 3]}
    grid.fill({}, axes)
    slices = [part for part in grid.plot_heatmap().axes if part.images]
    assert [part.get_title() for part in slices] == ["visits = 1", "visits = 2", "visits = 3"]
    for place, part in enumerate(slices):
        assert np.array_equal(part.images[0].get_array(), grid.values[:, :, place])
    assert len({part.images[0].get_clim() for part in slices}) == 1
    grid = predictor.predict_grid(3, (2, 2, 40))
    grid.predict({"age": 99}, (0, 0, 33))
    grid.process_batch()
    titles = [part.get_title() for part in grid.plot_heatmap().axes if part.images]
    assert len(titles) == 12
    assert "axis 2 = 33" in titles


@pytest.mark.parametrize("degrees", [1, 2, 3])
def test_an_empty_grid_can_be_drawn(predictor: Predictor, degrees: int) -> None:
    figure = predictor.predict_grid(degrees, (3,) * degrees).plot_heatmap()
    data, about = figure._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert "0 of" in about["image/png"]["alt"]


# ---------------------------------------------------------------------- displays


def test_displays(model: ModelServer, predictor: Predictor, shell: InteractiveShell) -> None:
    model.kind = "binary"
    shell.run_line_magic("load_ext", "featrix")
    result = predictor.predict({"age": 70, "<b>": 1}, feature_importance=True)
    batch = predictor.batch_predict([{"age": 70}, {"age": "broken"}] * 10)
    for value, parts in (
        (predictor, ["&lt;churn&gt;", "done", "churned (classes)", "0.800", "<svg"]),
        (result, [">yes</b>", "0.924", "&lt;b&gt;", "0.400 for yes", "importance of columns"]),
        (batch, ["20 predictions; yes 10; 10 not answered", "probability_yes", "cannot be read"]),
        (batch[1], ["not answered", "age cannot be read"]),
    ):
        data, _ = shell.display_formatter.format(value)
        for part in parts:
            assert part in data["text/html"]
    model.kind = "regression"
    html = display.result_html(predictor.predict({"age": 45}))
    assert ">50</b>" in html
    assert "45 to 55" in html
    shell.run_line_magic("unload_ext", "featrix")


def test_a_dashboard_follows_a_predictor(model: ModelServer) -> None:
    model.add("p1", name="followed", status="running")
    predictor = model.featrix.predictor("p1", "m-1")
    chunks = [
        f"id: {seq}\nevent: epoch\ndata: "
        f'{{"job_id": "{job}", "epoch": {epoch}, "loss": {loss}}}\n\n'
        for seq, job, epoch, loss in ((1, "j0", 1, 9), (2, "job-p1", 1, 0.7), (3, "job-p1", 2, 0.5))
    ]
    end = 'id: 4\nevent: status\ndata: {"job_id": "job-p1", "status": "done"}\n\n'

    class Stream:
        """The training ends when it is first followed."""

        def pop(self, _: int) -> Answer:
            model.add("p1", name="followed")
            return Answer(headers=STREAM, chunks=tuple(s.encode() for s in (*chunks, end)))

    model.streams = Stream()  # type: ignore[assignment]  # only pop is used
    dashboard = TrainingDashboard(predictor)
    (feed,) = dashboard._sources
    wait_until(lambda: feed.info.status == "done", "the training is over")
    assert feed.info.name == "followed"
    assert feed.log.column("loss").tolist() == [0.7, 0.5]
    assert dashboard.summary().startswith("TrainingDashboard: followed, done, ")
    dashboard.close()


def test_training_further_is_no_ended_training(model: ModelServer) -> None:
    """The first training's end lies in the past of a predictor that trains further."""
    model.add("p1", name="further", status="running")
    told = [("status", "done"), ("status", "running"), ("epoch", None)]
    chunks = tuple(
        f"id: {seq}\nevent: {kind}\ndata: "
        f'{{"job_id": "job-p1", "status": "{word}", "epoch": {seq}, "loss": 0.5}}\n\n'.encode()
        for seq, (kind, word) in enumerate(told, start=1)
    )
    model.streams = [Answer(headers=STREAM, chunks=chunks)]
    dashboard = TrainingDashboard(model.featrix.predictor("p1", "m-1"))
    (feed,) = dashboard._sources
    wait_until(lambda: len(feed.log), "an epoch")
    assert feed.info.status == "running"
    dashboard.close()


def test_an_endpoint_shows_its_use_and_never_its_key(model: ModelServer) -> None:
    raw = {"id": "e-1", "name": "<shop>", "has_api_key": True, "api_key": "fx_endpoint_secret"}
    usage = {"usage_count": 1234, "error_count": 5, "avg_latency_ms": 2.345, "last_used_at": None}
    server = ScriptedServer(lambda _: Answer(usage))
    endpoint = APIEndpoint(FeatrixSphere(server.url)._transport, raw, "m-1")
    try:
        html = display.endpoint_html(endpoint)
        assert "&lt;shop&gt;" in html
        assert f"{server.url}/endpoint/e-1/predict" in html
        for told in ("1234", "5", "2.35 ms", "in .api_key"):
            assert told in html
        for shown in (html, repr(endpoint), repr(endpoint.raw)):
            assert "secret" not in shown
    finally:
        server.close()
    assert "&lt;shop&gt;" in display.endpoint_html(endpoint)  # when the server is gone
