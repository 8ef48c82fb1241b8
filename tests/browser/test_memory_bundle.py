"""Many widgets of all kinds on one page: all stay drawn; what is closed leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from featrix_notebook.pages import page_of
from tests.browser.sphere_page import complaints_of, settle
from tests.browser.test_pages_bundle import PAINTED, dashboard, heatmap, movie, sphere
from tests.notebook.page_data import page_data

KINDS = (sphere, movie, dashboard, heatmap)
STAGES = (".ftx-sphere-stage", ".ftx-sphere-stage", ".ftx-chart", ".ftx-heat-stage")
# The elements of all widgets seen, and all WebGL contexts, held weakly.
WATCH = """
window.seen = { roots: [], contexts: [] };
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  const context = get.call(this, kind, ...rest);
  if (kind.startsWith("webgl") && context) seen.contexts.push(new WeakRef(context));
  return context;
};
"""
LEFT = """() => ({
  roots: seen.roots.filter((ref) => ref.deref()).length,
  contexts: seen.contexts.filter((ref) => ref.deref() && !ref.deref().isContextLost()).length,
  made: seen.contexts.length,
})"""
# Show a widget, let it be drawn, close it, and the next one.
ROUND = """async ([host, { bundles, widgets }, times]) => {
  window.show ??= (await import(
    URL.createObjectURL(new Blob([host], { type: "text/javascript" })))).default;
  const main = document.querySelector("main");
  const frame = () => new Promise(requestAnimationFrame);
  for (let i = 0; i < times; i++) {
    const widget = widgets[i % widgets.length];
    const el = main.appendChild(document.createElement("div"));
    const close = await show({ ...widget, bundle: bundles[widget.bundle] }, el);
    for (let wait = 0; wait < 6; wait++) await frame();
    seen.roots.push(new WeakRef(el.querySelector(".ftx")));
    close();
    el.remove();
  }
}"""
# A browser keeps every module that a page has loaded, here the bundle of each widget; of these the
# one with curves listens to the window for as long (uPlot, four events).
MODULE_BYTES, MODULE_LISTENERS = 500_000, 4


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 900, "height": 700})
    page = context.new_page()
    page.add_init_script(WATCH)
    complaints = complaints_of(page)
    yield page
    context.close()
    assert complaints == []


def test_twenty_widgets_on_one_page_all_stay_drawn(page: Page, tmp_path: Path) -> None:
    page_of([make() for _ in range(5) for make in KINDS], "twenty", tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("main [data-widget] > .ftx").nth(19).wait_for()
    shown = page.locator("main [data-widget]")
    for again in range(2):
        for place in range(20):
            stage = shown.nth(place).locator(STAGES[place % 4]).first
            stage.scroll_into_view_if_needed()
            settle(page, 50)
            assert stage.evaluate(PAINTED) > 0.01, (again, place)
    assert page.evaluate(LEFT)["contexts"] == 1, "one WebGL context serves them all"
    assert page.locator(".ftx-sphere-badge:visible").count() == 0


def test_fifty_widgets_closed_leave_nothing_behind(page: Page) -> None:
    text = page_of([make() for make in KINDS], "four")
    host = json.loads(text.split('id="host">', 1)[1].split("</script>", 1)[0])
    page.goto("about:blank")
    page.set_content("<main></main>")
    page.evaluate(f"() => {{ if (!window.seen) {{ {WATCH} }} }}")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def held() -> dict[str, float]:
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
            page.wait_for_timeout(100)
        metrics = session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}

    page.evaluate(ROUND, [host, page_data(text), 4])
    before = held()
    page.evaluate(ROUND, [host, page_data(text), 50])
    after = held()
    grown = {name: after[name] - before[name] for name in before}
    left = page.evaluate(LEFT)
    assert (left["roots"], left["contexts"]) == (0, 0), "what is still there"
    assert grown["JSHeapUsedSize"] < 50 * MODULE_BYTES
    assert grown["JSEventListeners"] <= 25 * MODULE_LISTENERS + 10
    assert grown["Nodes"] < 200
