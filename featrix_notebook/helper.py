"""`NotebookHelper`: the figures of the API reference, gathered behind one object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from featrix_client import FoundationalModel, Predictor

    from .figures.base import FeatrixFigure
    from .figures.embedding import EmbeddingFigure
    from .widgets.movie import TrainingMovie


class NotebookHelper:
    """Figures of models, for notebooks and papers.

    Every figure works offline and while its model still trains, shows itself when it is the last
    thing in a cell, and carries a text alternative in its attribute ``alt``. Colours are safe for
    colour-blind eyes. Your own matplotlib settings neither change a figure nor are changed.
    """

    def training_loss(
        self,
        fm: FoundationalModel,
        style: str = "notebook",
        show_learning_rate: bool = True,
        smooth: bool = True,
        figsize: tuple[float, float] = (12, 6),
    ) -> FeatrixFigure:
        """Loss curves of one training.

        Parameters
        ----------
        fm
            The model; it may still be training.
        style
            ``"notebook"``; ``"paper"``: small serif type and thin lines at print resolution;
            ``"presentation"``: large type and thick lines.
        show_learning_rate
            Draw the learning rate on an axis of its own, at the right.
        smooth
            Draw an exponential moving average over the faint raw points.
        figsize
            Width and height in inches.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            For an unknown `style`.
        """
        from .figures.training import training_loss

        return training_loss(fm, style, show_learning_rate, smooth, figsize)

    def embedding_space_3d(
        self,
        fm: FoundationalModel,
        sample_size: int = 2000,
        interactive: bool = True,
        color_by: str | None = None,
        figsize: tuple[float, float] = (800, 600),
    ) -> FeatrixFigure | EmbeddingFigure:
        """The rows of a trained model as points on the unit sphere.

        Parameters
        ----------
        fm
            The model; while it trains, its newest sample of rows is shown.
        sample_size
            At most so many rows, drawn at random with a fixed seed; at least 1.
        interactive
            True: a plotly figure that turns. False: a matplotlib figure.
        color_by
            A column of the table. Numbers and times get a continuous scale, anything else its 12
            most frequent values and one group for the rest; missing values are grey. Left out:
            the clusters the model found.
        figsize
            Width and height in pixels.

        Returns
        -------
        plotly.graph_objects.Figure or matplotlib.figure.Figure

        Raises
        ------
        ValueError
            For a column the table does not have, a `sample_size` below 1, or a model that has no
            points yet.
        """
        from .figures.embedding import embedding_space_3d

        return embedding_space_3d(fm, sample_size, interactive, color_by, figsize)

    def training_movie(
        self,
        fm: FoundationalModel,
        notebook_mode: bool = True,
        fps: int = 2,
    ) -> TrainingMovie | Path:
        """How the rows of a table found their places on the sphere, epoch by epoch.

        Parameters
        ----------
        fm
            The model; while it trains, its movie grows.
        notebook_mode
            True: a widget for a notebook. False: one self-contained HTML file in the working
            directory, for a browser with no kernel and no network.
        fps
            Frames a second at normal speed, 0.1 to 60.

        Returns
        -------
        TrainingMovie or pathlib.Path
            The widget, or the file that was written.

        Raises
        ------
        ValueError
            For an `fps` out of range, and for a file of a model that has no frames yet.
        """
        from .movie.writers import free_name
        from .widgets.movie import TrainingMovie

        movie = TrainingMovie(fm, fps=fps)
        if notebook_mode:
            return movie
        try:
            return movie.save(free_name(Path.cwd(), f"{fm.name or fm.id}-movie", ".html"))
        finally:
            movie.close()

    def training_comparison(
        self,
        models: Sequence[FoundationalModel],
        labels: Sequence[str],
        figsize: tuple[float, float] = (12, 6),
    ) -> FeatrixFigure:
        """Loss curves of several models on the same axes.

        Parameters
        ----------
        models, labels
            The models, and a name for each.
        figsize
            Width and height in inches.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            When there is no model, or not one label for each.
        """
        from .figures.training import training_comparison

        return training_comparison(models, labels, figsize)

    def embedding_space_training(self, fm: FoundationalModel) -> FeatrixFigure:
        """How the embedding space formed, in five panels.

        Losses; the parts of the loss; learning rate; per column, how many bits the rest of a row
        tells about it; and how evenly the rows cover the sphere.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from .figures.training import embedding_space_training

        return embedding_space_training(fm)

    def single_predictor_training(self, predictor: Predictor) -> FeatrixFigure:
        """How a predictor was trained and what its answers are worth, in six panels.

        Of classes: loss, ROC-AUC and PR-AUC by epoch with stars at the checkpoints that were
        kept; cost (or F1 and errors) by threshold, with more than two classes which one is taken
        for which; ROC; precision and recall; calibration. Of numbers: loss, R² and errors by
        epoch; predicted against actual numbers with their intervals; the errors. The last panels
        are of validation rows, and there once the training is finished.

        Parameters
        ----------
        predictor
            The predictor; it may still be training.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from .figures.predictor import single_predictor_training

        return single_predictor_training(predictor)
