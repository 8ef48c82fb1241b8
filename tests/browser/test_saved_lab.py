"""A saved notebook opened again in a real Jupyter: without its kernel widgets are pictures."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import (
    HTMLExporter,
    LatexExporter,
    MarkdownExporter,
    SlidesExporter,
    WebPDFExporter,
)
from playwright import async_api
from playwright.sync_api import Browser, Locator
from traitlets.config import Config

from tests.browser.conftest import ROOT, SCREENS, Lab, Notebook, pixels
from tests.browser.converted import check_alive, converted
from tests.browser.four_widgets import MAKE, WIDGETS
from tests.browser.sphere_page import CHROMIUM_FLAGS

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
    for theme in ("Light", "Dark"):
        notebook.theme(theme)
        for place, name in enumerate(WIDGETS, 1):
            if not kernel:
                notebook.screenshot(f"saved-{name}-{theme.lower()}", notebook.cell(place))
            # The ground of the picture is that of the page.
            corner = pixels(notebook.cell(place).get_by_role("img"))[2, 2]
            assert corner.min() == 255 if theme == "Light" else corner.max() < 32, name
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


def test_not_trusted(saved: str, lab: Lab, open_notebook: Callable[..., Notebook]) -> None:
    """A notebook from elsewhere runs nothing and shows the same pictures."""
    notebook = nbformat.read(lab.notebooks / saved, as_version=4)
    notebook.metadata["from"] = "elsewhere"
    nbformat.write(notebook, lab.notebooks / "from_elsewhere.ipynb")
    opened = open_notebook("from_elsewhere.ipynb", kernel=False)
    cells = "window.jupyterapp.shell.currentWidget.content.widgets"
    assert not opened.page.evaluate(f"{cells}[1].model.trusted")
    check_pictures(opened)


@pytest.mark.parametrize("kind", [HTMLExporter, SlidesExporter], ids=["html", "slides"])
def test_converted(saved: str, lab: Lab, chromium: Browser, tmp_path: Path, kind: Any) -> None:
    """Interactive, with neither kernel nor network; on paper there are the pictures."""
    notebook = lab.notebooks / saved
    assert notebook.stat().st_size < 1_000_000
    with converted(chromium, notebook, tmp_path, kind) as page:
        check_alive(page, notebook)
        SCREENS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENS / f"converted-{kind.__name__}.png", full_page=True)


def test_converted_to_webpdf(saved: str, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """On paper there are the pictures. Debian's browser stands in for one of Playwright's."""
    launch = async_api.BrowserType.launch

    async def debians(browser: Any, **options: Any) -> Any:
        return await launch(browser, executable_path=shutil.which("chromium"), **options)

    monkeypatch.setattr(async_api.BrowserType, "launch", debians)
    exporter = WebPDFExporter(disable_sandbox=True, browser_args=CHROMIUM_FLAGS)
    pdf, _ = exporter.from_filename(str(lab.notebooks / saved))
    # Pictures, and no canvas of a widget, which would be one more. What shows through a picture is
    # an image of its own.
    assert pdf.count(b"/Subtype /Image") - pdf.count(b"/SMask ") == len(WIDGETS)


def test_converted_to_latex(saved: str, lab: Lab) -> None:
    """What `--to pdf` typesets: the pictures, as files beside it."""
    text, resources = LatexExporter().from_filename(str(lab.notebooks / saved))
    pictures = [name for name in resources["outputs"] if name.endswith(".png")]
    assert len(pictures) == len(WIDGETS)
    for name in pictures:
        assert name in text


def test_converted_to_markdown(saved: str, lab: Lab) -> None:
    """With the switch of docs/share.md: pictures as files, and none of our HTML."""
    (order,) = re.findall(r'display_data_priority="(.*)"', (ROOT / "docs/share.md").read_text())
    switch = {"NbConvertBase": {"display_data_priority": json.loads(order.replace("'", '"'))}}
    exporter = MarkdownExporter(config=Config(switch))
    text, resources = exporter.from_filename(str(lab.notebooks / saved))
    assert len(resources["outputs"]) == len(WIDGETS)
    assert all(f"({name})" in text for name in resources["outputs"])
    assert "<" not in text
