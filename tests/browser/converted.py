"""A saved notebook converted by nbconvert, opened without a network and tried by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Locator, Page

from tests.browser.sphere_page import complaints_of
from tests.waiting import wait_until

WIDGET = "application/vnd.featrix.widget+json"
# What nbconvert's own templates ask for (typesetting, loading of modules, slides), and what the
# console says without it.
NBCONVERT = ("https://cdnjs.cloudflare.com/", "https://unpkg.com/reveal.js")
WITHOUT_THEM = ("net::ERR_INTERNET_DISCONNECTED", "require is not defined")


def widgets_in(notebook: Path) -> list[str]:
    """The kind of each widget in a saved notebook, in their order."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return [
        data[WIDGET]["widget"] for data in (o.get("data", {}) for o in outputs) if WIDGET in data
    ]


@contextmanager
def converted(
    browser: Browser, notebook: Path, folder: Path, kind: Any = HTMLExporter
) -> Iterator[Page]:
    """The page in a browser without a network; what it complains of or asks for fails the test."""
    text, _ = kind().from_filename(str(notebook))
    path = folder / f"{notebook.stem}.html"
    path.write_text(text, encoding="utf-8")
    context = browser.new_context(offline=True, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    complaints = complaints_of(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    yield page
    own = ("file:", "blob:", "data:", *NBCONVERT)
    assert [url for url in asked if not url.startswith(own)] == []
    assert [one for one in complaints if not any(told in one for told in WITHOUT_THEM)] == []
    context.close()


def check_alive(page: Page, notebook: Path) -> None:
    """Every widget of the notebook is there, and answers to the hand with other pixels."""
    kinds = widgets_in(notebook)
    kept = page.locator(".ftx-kept")
    assert kinds
    assert kept.count() == len(kinds)
    for place, kind in enumerate(kinds):
        at = kept.nth(place)
        picture = at.locator("img")
        assert picture.get_attribute("alt")
        at.scroll_into_view_if_needed()
        stage, act = ACTS[kind]
        stage_there = at.locator(stage).first
        stage_there.wait_for()
        picture.wait_for(state="hidden")
        stage_there.scroll_into_view_if_needed()
        act(page, at, stage_there)
        assert at.locator(".ftx-error:visible").count() == 0


def turn(page: Page, _: Locator, stage: Locator) -> None:
    """Drag the ball: it is another picture then, and stays one."""
    wait_until(lambda: is_drawn(stage), "the sphere is drawn")
    before = stage.screenshot()
    box = stage.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=4)
    page.mouse.up()
    page.mouse.move(2, 2)
    wait_until(lambda: stage.screenshot() != before, "the sphere has turned")


def scrub(_: Page, at: Locator, stage: Locator) -> None:
    """Go to the first and to the last epoch: words and picture follow."""
    scrubber = at.locator(".ftx-movie-scrubber")
    wait_until(lambda: is_drawn(stage), "the movie is drawn")
    scrubber.press("Home")
    first = scrubber.get_attribute("aria-valuetext")
    before = stage.screenshot()
    scrubber.press("End")
    assert scrubber.get_attribute("aria-valuetext") != first
    wait_until(lambda: stage.screenshot() != before, "another epoch is shown")


def point(page: Page, at: Locator, stage: Locator) -> None:
    """Point at something: the widget says what it is."""
    before, box = at.screenshot(), stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4, steps=3)
    wait_until(lambda: at.screenshot() != before, "something is told of where the pointer is")
    page.mouse.move(2, 2)


def is_drawn(stage: Locator) -> bool:
    """More than paper: a picture of one colour takes next to no bytes."""
    return len(stage.screenshot()) > 15_000


ACTS: dict[str, tuple[str, Callable[[Page, Locator, Locator], None]]] = {
    "sphere": (".ftx-sphere-stage", turn),
    "movie": (".ftx-sphere-stage", scrub),
    "heatmap": (".ftx-heat-stage", point),
    "dashboard": (".ftx-chart", point),
}
