"""Widgets of all kinds made and closed in a real JupyterLab: nothing of them is left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser.test_memory_bundle import LEFT, WATCH
from tests.waiting import wait_until

BEGIN = """
import gc, weakref
import ipywidgets
from IPython.display import clear_output, display
from tests.browser.test_pages_bundle import dashboard, heatmap, movie, sphere

kinds, made, known = (sphere, movie, dashboard, heatmap), [], []
"""
SHOW = """
for _ in range(10):
    made.append(kinds[len(known) % 4]())
    known.append(weakref.ref(made[-1]))
    display(made[-1])
"""
CLOSE = """
for widget in made:
    widget.close()
made.clear()
del widget
gc.collect()
"""


def test_fifty_widgets_leave_nothing_behind(lab: Any, open_notebook: Callable[..., Any]) -> None:
    notebook = open_notebook(lab.write("memory.ipynb", BEGIN, SHOW, CLOSE))
    page = notebook.page
    page.evaluate(f"() => {{ {WATCH} }}")
    session = page.context.new_cdp_session(page)

    def batch() -> None:
        notebook.run(1)
        page.wait_for_function("() => document.querySelectorAll('.ftx').length === 10")
        page.evaluate(
            "() => seen.roots.push("
            "...[...document.querySelectorAll('.ftx')].map((root) => new WeakRef(root)))"
        )
        notebook.run(2)
        notebook.command("notebook:clear-all-cell-outputs")
        page.wait_for_function("() => document.querySelectorAll('.ftx').length === 0")

    notebook.run(0)
    for _ in range(5):
        batch()
    notebook.becomes("sum(ref() is not None for ref in known)", 0)
    notebook.becomes("len(ipywidgets.widgets.widget._instances)", 0)

    def gone() -> bool:
        session.send("HeapProfiler.collectGarbage")
        return bool(page.evaluate(LEFT)["roots"] == 0)

    wait_until(gone, "the views are collected", seconds=60, every=1)
    left = page.evaluate(LEFT)
    assert left["contexts"] <= 1, left
    assert left["made"] <= 6, "one context at a time, for all views of a page"
    assert notebook.complaints == []
