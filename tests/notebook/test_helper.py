"""`NotebookHelper`, against a real model: the figures of the API reference."""

from __future__ import annotations

import inspect
import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure
from PIL import Image

from featrix_client import FeatrixSphere, FoundationalModel
from featrix_notebook import NotebookHelper
from featrix_notebook.figures.base import STYLES, FeatrixFigure


@pytest.fixture
def notebook(featrix: FeatrixSphere) -> NotebookHelper:
    helper = featrix.get_notebook()
    assert isinstance(helper, NotebookHelper)
    return helper


def drawn(figure: FeatrixFigure) -> np.ndarray:
    """The pixels of a figure as a notebook shows it."""
    data, _ = figure._repr_mimebundle_()
    with Image.open(io.BytesIO(data["image/png"])) as image:
        return np.asarray(image.convert("L"))


def defaults(method: Any) -> dict[str, Any]:
    parameters = inspect.signature(method).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def test_signatures_are_those_of_the_reference(notebook: NotebookHelper) -> None:
    loss = {"style": "notebook", "show_learning_rate": True, "smooth": True, "figsize": (12, 6)}
    assert defaults(notebook.training_loss) == loss
    space = {"sample_size": 2000, "interactive": True, "color_by": None, "figsize": (800, 600)}
    assert defaults(notebook.embedding_space_3d) == space
    assert list(inspect.signature(notebook.training_comparison).parameters) == [
        "models",
        "labels",
        "figsize",
    ]
    assert list(inspect.signature(notebook.embedding_space_training).parameters) == ["fm"]


# training_loss


@pytest.mark.parametrize("style", STYLES)
def test_training_loss_in_each_style(
    notebook: NotebookHelper, trained: FoundationalModel, style: str
) -> None:
    figure = notebook.training_loss(trained, style=style)
    assert isinstance(figure, Figure)
    losses, rate = figure.axes
    assert losses.get_ylabel() == "loss"
    assert rate.get_ylabel() == "learning rate"
    legend = {text.get_text() for text in losses.get_legend().get_texts()}
    assert {"training", "validation", "learning rate"} <= legend
    assert any(label.startswith("best: ") for label in legend)
    assert drawn(figure).std() > 5
    assert "Validation loss went from" in figure.alt


def test_styles_differ(notebook: NotebookHelper, trained: FoundationalModel) -> None:
    sizes, fonts, widths = set(), set(), set()
    for style in STYLES:
        axes = notebook.training_loss(trained, style=style, smooth=False).axes[0]
        sizes.add(axes.xaxis.label.get_fontsize())
        fonts.add(axes.xaxis.label.get_fontfamily()[0])
        widths.add(axes.lines[0].get_linewidth())
    assert len(sizes) == len(widths) == 3
    assert fonts == {"serif", "sans-serif"}


def test_training_loss_shows_the_true_numbers(
    notebook: NotebookHelper, trained: FoundationalModel
) -> None:
    data = trained.get_training_metrics()["data"]
    figure = notebook.training_loss(trained, smooth=False, show_learning_rate=False, figsize=(6, 3))
    (axes,) = figure.axes
    assert tuple(figure.get_size_inches()) == (6, 3)
    by_name = {line.get_label(): line for line in axes.lines}
    space = np.array(data["phase"]) == "space"  # while the sphere is laid out the loss stands
    for name, key in (("training", "train_loss"), ("validation", "val_loss")):
        told = np.where(space, data[key], np.nan)
        np.testing.assert_allclose(by_name[name].get_ydata(), told)
    (best,) = [line for name, line in by_name.items() if str(name).startswith("best")]
    assert best.get_xdata() == data["best_epoch"]
    smooth = notebook.training_loss(trained, show_learning_rate=False).axes[0]
    assert len(smooth.lines) > len(axes.lines)  # raw points behind the smoothed lines


def test_unknown_style(notebook: NotebookHelper, trained: FoundationalModel) -> None:
    with pytest.raises(ValueError, match=r"'poster'.*notebook, paper, presentation"):
        notebook.training_loss(trained, style="poster")


def test_figures_of_a_model_that_trains(
    notebook: NotebookHelper, featrix: FeatrixSphere, animals: pd.DataFrame
) -> None:
    fm = featrix.create_foundational_model(df=animals, epochs=2)
    for figure in (
        notebook.training_loss(fm),
        notebook.training_comparison([fm], ["now"]),
        notebook.embedding_space_training(fm),
    ):
        assert drawn(figure).std() > 1
    fm.wait_for_training(poll_interval=1, show_progress=False)


def test_nothing_reaches_pyplot(notebook: NotebookHelper, trained: FoundationalModel) -> None:
    notebook.training_loss(trained, style="presentation")
    notebook.embedding_space_3d(trained, interactive=False)
    assert plt.get_fignums() == []


# training_comparison


def test_comparison(notebook: NotebookHelper, trained: FoundationalModel) -> None:
    figure = notebook.training_comparison([trained, trained], labels=["_a", "costs $5 or $6"])
    texts = [text.get_text().strip("\u200a") for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ["_a", "costs $5 or $6"]
    assert drawn(figure).std() > 5
    with pytest.raises(ValueError, match="2 models and 1 labels"):
        notebook.training_comparison([trained, trained], ["one"])
    with pytest.raises(ValueError, match="at least one model"):
        notebook.training_comparison([], [])


# embedding_space_3d


def points_of(figure: Any) -> int:
    return sum(len(trace.x) for trace in figure.data)


def test_interactive_figure(notebook: NotebookHelper, trained: FoundationalModel) -> None:
    figure = notebook.embedding_space_3d(trained, figsize=(640, 480))
    assert isinstance(figure, go.Figure)
    assert (figure.layout.width, figure.layout.height) == (640, 480)
    assert points_of(figure) == 300
    xyz = np.concatenate([np.column_stack([t.x, t.y, t.z]) for t in figure.data])
    np.testing.assert_allclose(np.linalg.norm(xyz, axis=1), 1, atol=1e-5)
    assert len(figure.data) >= 2  # clusters
    data, metadata = figure._repr_mimebundle_()
    assert set(data) == {"application/vnd.plotly.v1+json", "image/png", "text/plain"}
    assert "on a sphere" in figure.alt
    assert metadata["image/png"]["alt"] == figure.alt


def test_still_figure(notebook: NotebookHelper, trained: FoundationalModel) -> None:
    figure = notebook.embedding_space_3d(trained, interactive=False, figsize=(500, 400))
    assert isinstance(figure, Figure)
    assert drawn(figure).shape == (400, 500)


def test_the_sample_is_random_repeatable_and_of_the_size_asked(
    notebook: NotebookHelper, trained: FoundationalModel
) -> None:
    first = notebook.embedding_space_3d(trained, sample_size=50, color_by="weight")
    second = notebook.embedding_space_3d(trained, sample_size=50, color_by="weight")
    assert points_of(first) == 50
    assert first.to_json() == second.to_json()
    with pytest.raises(ValueError, match="sample_size"):
        notebook.embedding_space_3d(trained, sample_size=0)


def test_numbers_get_a_scale_and_gaps_are_grey(
    notebook: NotebookHelper, trained: FoundationalModel, animals: pd.DataFrame
) -> None:
    figure = notebook.embedding_space_3d(trained, color_by="weight")
    scaled, missing = figure.data
    assert scaled.marker.colorbar.title.text == "weight"
    assert len(missing.x) == animals.weight.isna().sum()
    assert missing.name == "missing"


def test_a_column_the_model_never_saw_can_colour(
    notebook: NotebookHelper, trained: FoundationalModel, animals: pd.DataFrame
) -> None:
    figure = notebook.embedding_space_3d(trained, color_by="species_id")
    counts = animals.species_id.value_counts()
    names = [trace.name for trace in figure.data]
    assert names[:12] == list(counts.index[:12])
    assert names[12] == f"other ({len(counts) - 12} more)"
    looks = {(t.marker.color, t.marker.symbol) for t in figure.data}
    assert len(looks) == len(figure.data)
    for interactive in (True, False):
        with pytest.raises(ValueError, match=r"no column 'wieght'.*weight"):
            notebook.embedding_space_3d(trained, color_by="wieght", interactive=interactive)


def test_hover_text_is_escaped(
    notebook: NotebookHelper, featrix: FeatrixSphere, animals: pd.DataFrame
) -> None:
    table = animals.assign(sex="<b>" + animals.sex.fillna("?") + "</b>")
    fm = featrix.create_foundational_model(df=table, epochs=1)
    fm.wait_for_training(poll_interval=1, show_progress=False)
    figure = notebook.embedding_space_3d(fm, color_by="sex")
    assert "&lt;b&gt;" in figure.data[0].name
    assert all("<b>" not in text for trace in figure.data for text in trace.text)


# embedding_space_training


def test_space_training_has_five_panels(
    notebook: NotebookHelper, trained: FoundationalModel
) -> None:
    figure = notebook.embedding_space_training(trained)
    titles = [axes.get_title() for axes in figure.axes]
    for title in ("Loss", "Parts of the training loss", "Learning rate"):
        assert title in titles
    assert any(title.startswith("Coverage of the sphere") for title in titles)
    (bits,) = [a for a in figure.axes if a.get_xlabel() == "mutual information (bits)"]
    names = {tick.get_text() for tick in bits.get_yticklabels()}
    assert names == set(trained.columns or [])
    parts = figure.axes[titles.index("Parts of the training loss")]
    assert [line.get_label() for line in parts.lines] == ["joint", "marginal", "spread"]
    assert "of the sphere is covered" in figure.alt
    assert drawn(figure).std() > 5
