"""The cells of a prediction grid, to be read while they fill."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from featrix_client.errors import FeatrixInputError
from featrix_client.grid_axes import Position
from featrix_client.prediction import PredictionResult

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from featrix_client.predictor_answers import AnswersOfPredictor

    Values = np.ndarray[Any, Any]


class GridCells:
    """The part of `PredictionGrid` that is read; see there for the attributes."""

    def __init__(self, predictor: AnswersOfPredictor, shape: Position) -> None:
        self.predictor = predictor
        self.shape = shape
        self.axis_labels = [f"axis {axis}" for axis in range(len(shape))]
        self.axis_values: list[list[Any]] = [list(range(size)) for size in shape]
        self.results: dict[Position, PredictionResult] = {}
        self.target_class: str | None = None
        self._layers: dict[str, Values] = {}  # class, or "" for numbers: one value a cell

    @property
    def values(self) -> Values:
        """What the cells show, as an array of the grid's shape.

        Probability of the positive class; of `target_class` if there are more than two; or the
        predicted number. NaN where nothing is filled.
        """
        import numpy as np

        empty = np.full(self.shape, np.nan)
        return self._layers.get(self.shown_class or "", empty).copy()

    @property
    def shown_class(self) -> str | None:
        """The class whose probability the cells show; None for numbers and an empty grid."""
        if self.target_class is not None:
            self._check_class(self.target_class)
            return self.target_class
        good = [result for result in self.results.values() if result.error is None]
        if not good or not good[-1].probabilities:
            return None
        if good[-1].pos_label is not None:
            return good[-1].pos_label
        counts = Counter(str(result.predicted_class) for result in good)
        return min(counts, key=lambda label: (-counts[label], label))

    @property
    def threshold(self) -> float | None:
        """From which value on the class shown is predicted; None unless it is one of two."""
        for result in reversed(self.results.values()):
            if result.threshold is not None:
                return result.threshold if self.shown_class == result.pos_label else None
        return None

    @property
    def meaning(self) -> str:
        """What the cells show, in words."""
        target, label = self.predictor.target_column, self.shown_class
        return f"predicted {target}" if label is None else f"probability of {target} = {label}"

    def get_optimal_position(self, maximize: bool = True) -> Position:
        """Return the position of the best cell, the first in row-major order if several are.

        Parameters
        ----------
        maximize : bool
            Look for the largest value; False for the smallest.

        Raises
        ------
        ValueError
            If no cell is filled.
        """
        import numpy as np

        values = np.where(np.isfinite(self.values), self.values, np.nan)
        if np.isnan(values).all():
            raise FeatrixInputError(
                "No cell of the grid is filled, so there is no best one.",
                hint="Fill it first: fill(), or predict() and process_batch().",
            )
        best = np.nanargmax(values) if maximize else np.nanargmin(values)
        return tuple(int(place) for place in np.unravel_index(best, self.shape))

    def to_frame(self) -> pd.DataFrame:
        """Return the cells as a table, one row a cell in row-major order.

        Returns
        -------
        pandas.DataFrame
            A column for each axis with what stands there, and ``value``, NaN where unfilled.
        """
        import numpy as np
        import pandas as pd

        places = np.indices(self.shape).reshape(len(self.shape), -1)
        columns: dict[str, Any] = {
            label: [ticks[place] for place in along]
            for label, ticks, along in zip(
                self.axis_labels, self.axis_values, places.tolist(), strict=True
            )
        }
        return pd.DataFrame(columns | {"value": self.values.ravel()})

    def plot_heatmap(self, figsize: tuple[float, float] | None = None) -> Any:
        """Draw the grid: one axis as a line, two as a heatmap, three as slices along the last.

        Axis 0 runs downwards. Cells that are not filled are hatched, the largest value is
        marked, and with two classes a line shows where the threshold lies.

        Parameters
        ----------
        figsize : (float, float), optional
            Width and height in inches.

        Returns
        -------
        matplotlib.figure.Figure
        """
        # By name, as get_notebook: the client must work without the notebook parts.
        return importlib.import_module("featrix_notebook.figures.grid").plot_heatmap(self, figsize)

    def _check_class(self, label: str) -> None:
        if self._layers and label not in self._layers:
            known = ", ".join(name for name in self._layers if name)
            raise FeatrixInputError(
                f"target_class {label!r} is no class of {self.predictor.target_column!r}.",
                hint=f"The classes are: {known}." if known else "It predicts numbers.",
                field="target_class",
            )
