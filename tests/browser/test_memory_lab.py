"""Widgets of all kinds made and closed in a real JupyterLab: nothing of them is left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.conftest import wait_until

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


def test_fifty_widgets_leave_nothing_behind(lab: Any, open_notebook: Callable[..., Any]) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [new_code_cell(source) for source in (BEGIN, SHOW, CLOSE)]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), lab.notebooks / "memory.ipynb")
    notebook = open_notebook("memory.ipynb")
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
