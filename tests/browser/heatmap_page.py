"""A page for the built heatmap bundle, answered by the real Python widget, without Jupyter."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator

from tests.browser.sphere_page import Kernel, Opened, opener


class HeatmapKernel(Kernel):
    """The Python end of a heatmap's page: the widget changes from another thread as well."""

    def take(self) -> dict[str, Any]:
        with self.widget._lock:
            return super().take()


class OpenedHeatmap(Opened):
    """A page with a heatmap on it."""

    kernel_class = HeatmapKernel

    def settle(self, ms: int = 250) -> None:
        """Let frames, timers and answers arrive."""
        super().settle(ms)

    def answered(self) -> None:
        """Wait until the predictor has answered everything, and the page has it."""
        assert self.widget.wait(30)
        self.push()

    @property
    def stage(self) -> Any:
        return self.page.locator(".ftx-heat-stage").first

    def pixels(self, of: Locator | None = None) -> np.ndarray:
        """A picture of the stage."""
        with Image.open(io.BytesIO((of or self.stage).screenshot())) as image:
            return np.asarray(image.convert("RGB"), dtype=np.int16)

    def plot(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the cells in the stage: what is framed."""
        shot = self.pixels()
        vivid = shot.max(axis=2) - shot.min(axis=2) > 40
        rows, cols = vivid.sum(axis=1), vivid.sum(axis=0)
        down = np.flatnonzero(rows > rows.max() / 4)
        across = np.flatnonzero(cols > cols.max() / 4)
        # The colour scale stands beside the cells, behind a gap.
        gap = np.flatnonzero(np.diff(across) > 8)
        last = across[gap[0]] if len(gap) else across[-1]
        return across[0], down[0], last - across[0] + 1, down[-1] - down[0] + 1

    def point(self, row: float, col: float, shape: tuple[int, int]) -> tuple[float, float]:
        """The middle of a cell on the page."""
        left, top, width, height = self.plot()
        box = self.stage.bounding_box()
        x = box["x"] + left + (col + 0.5) / shape[1] * width
        return x, box["y"] + top + (row + 0.5) / shape[0] * height


Open = Callable[..., OpenedHeatmap]


def heatmap_opener(browser: Browser) -> AbstractContextManager[Open]:
    """A function that opens a heatmap on a page of its own; see `opener`."""
    return opener(browser, OpenedHeatmap)
