"""A saved notebook opened again in a real Jupyter: without its kernel widgets are pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbconvert import HTMLExporter, SlidesExporter
from playwright.sync_api import Browser, Locator

from tests.browser.conftest import SCREENS, Lab, Notebook, pixels
from tests.browser.four_widgets import MAKE, WIDGETS

pytestmark = pytest.mark.timeout(600)  # the first of them runs and saves the notebook
# Somebody else's widget, of which nothing but the view is saved.
OTHER = "import ipywidgets; ipywidgets.IntSlider(3)"


@pytest.fixture(scope="module")
def saved(lab: Lab, chromium: Browser) -> str:
    """A notebook whose cells were run and saved, and whose kernel is gone."""
    cells = (MAKE, *(show for show, _ in WIDGETS.values()), OTHER)
    page = chromium.new_page()
    notebook = Notebook(page, lab, lab.write("saved.ipynb", *cells))
    notebook.open()
    for place in range(len(cells)):
        notebook.run(place)
    for place, (_, stage) in enumerate(WIDGETS.values(), 1):
        notebook.cell(place).locator(stage).first.wait_for()
    notebook.command("docmanager:save")
    # The widgets are back when the page is loaded again beside a living kernel.
    page.reload()
    notebook.open()
    for place, (_, stage) in enumerate(WIDGETS.values(), 1):
        notebook.cell(place).locator(stage).first.wait_for()
        assert notebook.cell(place).locator(".ftx-saved").count() == 0
    page.close()
    for session in lab.api("GET", "sessions").json():
        lab.api("DELETE", f"sessions/{session['id']}")
    return notebook.path


def check_pictures(notebook: Notebook) -> None:
    """Each widget's place holds its picture and its words, and no error."""
    for place, name in enumerate(WIDGETS, 1):
        cell = notebook.cell(place)
        image = cell.get_by_role("img")
        image.wait_for()
        assert image.evaluate("(i) => i.decode().then(() => i.naturalWidth)") >= 400, name
        assert image.get_attribute("alt"), name
        assert not re.search("not found|Loading widget|rror", cell.inner_text()), name
        shot = pixels(image)
        assert (shot.max(axis=2) - shot.min(axis=2) > 40).sum() > 300, name


@pytest.mark.parametrize("kernel", [False, True], ids=["no kernel", "a fresh kernel"])
def test_reopened_in_jupyterlab(
    saved: str, open_notebook: Callable[..., Notebook], kernel: bool
) -> None:
    notebook = open_notebook(saved, kernel=kernel)
    check_pictures(notebook)
    # Widgets of others are as they were without us.
    other = notebook.cell(len(WIDGETS) + 1)
    word = "model not found" if kernel else "Loading widget"
    other.get_by_text(word).wait_for()
    assert other.locator(".ftx-saved").count() == 0
    notebook.theme("Dark")
    notebook.screenshot(f"saved-{'fresh-kernel' if kernel else 'no-kernel'}-dark", notebook.cell(1))
    if kernel:  # and once run again the widget takes the picture's place
        notebook.run(0)
        notebook.run(1)
        notebook.cell(1).locator(".ftx-sphere-stage").wait_for()
        assert notebook.cell(1).locator(".ftx-saved").count() == 0


def test_reopened_and_run_in_notebook_7(saved: str, lab: Lab, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    stacks: list[str] = []
    page.on("pageerror", lambda error: stacks.append(error.stack or ""))
    page.goto(f"{lab.url}/notebooks/{saved}?token={lab.token}")
    check_pictures(InNotebook7(page, lab, saved))
    page.screenshot(path=SCREENS / "saved-notebook-7.png")
    page.get_by_text("Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    for place, (_, stage) in enumerate(WIDGETS.values(), 1):
        cell = InNotebook7(page, lab, saved).cell(place)
        cell.locator(stage).first.wait_for(timeout=60_000)
        assert cell.locator(".ftx-saved").count() == 0
    page.screenshot(path=SCREENS / "live-notebook-7.png")
    assert not [stack for stack in stacks if "featrix" in stack]  # Notebook 7 has one of its own
    page.close()


class InNotebook7(Notebook):
    """The same notebook in Notebook 7, which gives no hold on the application."""

    def cell(self, place: int) -> Locator:
        found = self.page.locator(".jp-Notebook .jp-Cell").nth(place)
        found.scroll_into_view_if_needed()
        return found


@pytest.mark.parametrize("kind", [HTMLExporter, SlidesExporter], ids=["html", "slides"])
def test_converted(saved: str, lab: Lab, chromium: Browser, tmp_path: Path, kind: Any) -> None:
    text, _ = kind().from_filename(str(lab.notebooks / saved))
    path = tmp_path / "converted.html"
    path.write_text(text, encoding="utf-8")
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    widths = page.evaluate(
        "Promise.all([...document.querySelectorAll('.jp-RenderedImage img')]"
        ".map((i) => i.decode().then(() => i.naturalWidth)))"
    )
    assert len(widths) == len(WIDGETS)
    assert min(widths) >= 400
    assert "model not found" not in text
    # What printing needs: the same pages on paper, with Debian's browser instead of the one that
    # `nbconvert --to webpdf` wants Playwright to download.
    assert page.pdf().count(b"/Subtype /Image") >= len(WIDGETS)
    context.close()
