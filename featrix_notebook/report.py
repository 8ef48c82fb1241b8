"""`export_report`: all there is to see of a model on one page that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from featrix_notebook import pages
from featrix_notebook.cards import card_html
from featrix_notebook.display.pieces import facts, section
from featrix_notebook.display.predictors import scores_html

if TYPE_CHECKING:
    from featrix_client import FoundationalModel, Predictor
    from featrix_notebook.widgets.base import FeatrixWidget

_STYLE = """<style>
main > header > h1 { font-size: 26px; margin: 0 0 4px; }
main > section > h2 { font-size: 19px; margin: 36px 0 10px; }
nav a { margin-right: 16px; color: inherit; }
.lead { opacity: .75; margin: 0 0 12px; } table { font-size: 13px; }
.figure { display: block; max-width: 100%; background: #fff; margin: 12px 0; }
summary, td, th { overflow-wrap: anywhere; }
@media print { nav { display: none; } }
</style>"""


def export_report(
    model: FoundationalModel,
    path: str | Path,
    *,
    predictors: Iterable[Predictor] | None = None,
    grids: Iterable[Any] | None = None,
) -> Path:
    """Write one self-contained interactive page about a model: no kernel, no network.

    On it are the curves of the training, the rows on the sphere and the movie (which move
    together), the predictors with their scores and curves, prediction grids, and the model cards.

    Parameters
    ----------
    model
        A trained model.
    path
        The file to write; one that is there is replaced once the report is complete.
    predictors
        Trained predictors to report on; by default all of the model that are trained.
    grids
        Filled `PredictionGrid` or `PredictionHeatmap` objects to show. None by default: filling
        one takes predictions, which a report does not make by itself.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ValueError
        If the model or a given predictor is not trained, or the folder of `path` does not exist.

    Examples
    --------
    >>> export_report(fm, "report.html", grids=[grid])  # doctest: +SKIP
    """
    file = Path(path).expanduser()
    if not file.parent.is_dir():
        raise ValueError(f"There is no folder {str(file.parent)!r} to write the report to.")
    _check_trained(model, "model")
    if predictors is None:
        chosen = [one for one in model.list_predictors() if one.status == "done"]
    else:
        chosen = list(predictors)
        for predictor in chosen:
            _check_trained(predictor, "predictor")
    with ExitStack() as stack:
        report = _Report(stack)
        steps: list[Callable[[], None]] = [
            lambda: report.training(model),
            lambda: report.space(model),
            *(partial(report.predictor, predictor) for predictor in chosen),
            lambda: report.grids(list(grids or ())),
            lambda: report.card(model),
        ]
        for step in tqdm(steps, desc=f"Writing {file.name}", unit="part", delay=1, leave=False):
            step()
        name = str(model.name or model.id)
        return pages.write(pages.page_with(report.body(model), report.widgets, name), file)


def _check_trained(run: Any, kind: str) -> None:
    if run.status != "done" and not run.is_ready():
        name = run.name or run.id
        raise ValueError(
            f"The {kind} {name!r} is not trained ({run.status}); "
            "wait_for_training() waits until it is."
        )


class _Report:
    """The sections of a report, and the widgets in them, which are closed with `stack`."""

    def __init__(self, stack: ExitStack) -> None:
        self.widgets: list[FeatrixWidget] = []
        self._stack = stack
        self._sections: list[tuple[str, str]] = []

    def body(self, model: FoundationalModel) -> str:
        """The whole of it below a heading with what there is to know first."""
        about = facts(
            [
                ("id", model.id),
                ("dimensions", model.dimensions),
                ("epochs", model.epochs),
                ("loss", None if model.final_loss is None else f"{model.final_loss:.4g}"),
                ("created", model.created_at),
            ]
        )
        links = "".join(
            f'<a href="#part-{i}">{title}</a>' for i, (title, _) in enumerate(self._sections)
        )
        parts = "".join(
            f'<section id="part-{i}"><h2>{title}</h2>{html}</section>'
            for i, (title, html) in enumerate(self._sections)
        )
        title = escape(str(model.name or model.id))
        head = f'<h1>{title}</h1><p class="lead">A foundational model of a table</p>'
        return f"{_STYLE}<header>{head}{about}<nav>{links}</nav></header>{parts}"

    def training(self, model: FoundationalModel) -> None:
        from featrix_notebook.widgets.dashboard import TrainingDashboard

        self._sections.append(("Training", self._place(TrainingDashboard(model))))

    def space(self, model: FoundationalModel) -> None:
        from featrix_notebook.widgets.link import link
        from featrix_notebook.widgets.movie import TrainingMovie
        from featrix_notebook.widgets.sphere import SphereExplorer

        sphere, movie = SphereExplorer(model), TrainingMovie(model, autoplay=False)
        self._stack.callback(movie.close)
        self._sections.append(("The space it learned", self._place(sphere)))
        if len(movie.packed):  # a server may have kept none
            self._sections.append(("How it learned", self._place(movie)))
            link(sphere, movie, what=("selection", "hover", "color"))

    def predictor(self, predictor: Predictor) -> None:
        from featrix_notebook.figures.predictor import single_predictor_training

        figure = single_predictor_training(predictor)
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=80)
        scores = scores_html(predictor, predictor.get_metrics())
        card = section("Model card of this predictor", card_html(predictor.get_model_card()))
        title = f"Predicting {escape(predictor.target_column)}"
        html = f"{scores}{_picture(png.getvalue(), figure.alt)}{card}"
        self._sections.append((title, html))

    def grids(self, grids: Sequence[Any]) -> None:
        from featrix_notebook.widgets.heatmap import PredictionHeatmap

        html = ""
        for grid in grids:
            is_made = not isinstance(grid, PredictionHeatmap)
            html += self._place(PredictionHeatmap(grid) if is_made else grid, is_made)
        if html:
            self._sections.append(("What if", html))

    def card(self, model: FoundationalModel) -> None:
        self._sections.append(("Model card", card_html(model.get_model_card())))

    def _place(self, widget: FeatrixWidget, is_made: bool = True) -> str:
        if is_made:
            self._stack.callback(widget.close)
        self.widgets.append(widget)
        return pages.place_of(len(self.widgets) - 1, widget)


def _picture(png: bytes, alt: str) -> str:
    source = base64.b64encode(png).decode("ascii")
    return f'<img class="figure" alt="{escape(alt)}" src="data:image/png;base64,{source}">'
