"""The sphere in a real JupyterLab and kernel: what is done on the page arrives in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser.sphere_page import settle

SPHERE = """
import numpy as np
import pandas as pd
from featrix_notebook import SphereExplorer

# Two rows before the reader's eye, left and right, and two behind.
right, front = np.array([0.565, 0.825, 0]), np.array([0.775, -0.53, 0.343])
xyz = [front - 0.5 * right, front + 0.5 * right, -front, -front + 0.2 * right]
rows = pd.DataFrame({"name": list("abcd"), "size": [1.5, 2.5, 3.5, 4.5]})
heard = []
sphere = SphereExplorer(xyz, rows=rows, color_by="name", size=14)
sphere.on_select(lambda ids, cause: heard.append([ids, cause]))
sphere
"""
# Pixels drawn over the points of each sphere.
RINGS = """() => [...document.querySelectorAll(".ftx-sphere-stage")].map((stage) => {
  const [, over] = stage.querySelectorAll("canvas");
  const { data } = over.getContext("2d").getImageData(0, 0, over.width, over.height);
  return data.filter((value, i) => i % 4 === 3 && value > 0).length;
})"""
LINKED = """
from featrix_notebook import link

other = SphereExplorer(xyz[::-1], rows=rows[::-1], size=14)
joined = link(sphere, other)
other
"""


def test_a_click_a_colour_and_a_selection_travel(
    lab: Any, open_notebook: Callable[[str], Any]
) -> None:
    notebook = open_notebook(lab.write("sphere.ipynb", SPHERE, "sphere.select([2])", LINKED))
    page = notebook.page
    notebook.run(0)
    stage = page.locator(".ftx-sphere-stage")
    stage.wait_for()
    settle(page, 800)
    # An output that is brought up to date keeps its view.
    output = "window.jupyterapp.shell.currentWidget.content.widgets[0].model.outputs.toJSON()[0]"
    kept = page.evaluate(f"() => {output}.data['text/html']")
    assert kept
    stage.evaluate("(stage) => { stage.dataset.first = ''; }")
    notebook.python("sphere.refresh_outputs()")
    page.wait_for_function(f"(kept) => {output}.data['text/html'] !== kept", arg=kept)
    box = stage.bounding_box()
    assert box is not None
    # The left and the right row: half a radius, shortened by bringing them to the sphere.
    reach = 0.9 * min(box["width"], box["height"]) / 2 * 0.5 / 1.25**0.5
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(x - reach, y)
    notebook.becomes("sphere.selected_ids", [0])
    # One row for another: as many bytes, other ones.
    page.mouse.click(x + reach, y)
    notebook.becomes("sphere.selection['name'].tolist()", ["b"])
    assert stage.get_attribute("data-first") == ""
    card = page.locator(".ftx-sphere-card")
    assert "size" in card.inner_text()
    cut = card.locator("dt").evaluate_all(
        "(names) => names.filter((name) => name.scrollWidth > name.clientWidth).length"
    )
    assert cut == 0, "names are cut"
    page.get_by_label("Colour by", exact=True).select_option(label="size")
    page.locator(".ftx-sphere-strip").wait_for()
    notebook.becomes("sphere.color_by", "size")
    # Keys the notebook knows as commands belong to the sphere while it has the focus.
    stage.focus()
    before = len(notebook.cells())
    for key in ("b", "l", "ArrowUp", "0", "0", "Escape", "Escape"):  # the pen, the rows
        page.keyboard.press(key)
    notebook.becomes("sphere.selected_ids", [])
    assert len(notebook.cells()) == before
    notebook.run(1)
    page.wait_for_function(
        "() => document.querySelector('.ftx-sphere-selected')?.innerText === '1 selected'"
    )
    assert notebook.python("heard") == [[[0], "user"], [[1], "user"], [[], "user"], [[2], "python"]]
    page.get_by_role("button", name="Drag a lasso").click()
    page.mouse.move(x - reach - 30, y - 30)
    page.mouse.down()
    for dx, dy in ((30, -35), (30, 30), (-30, 30)):
        page.mouse.move(x - reach + dx, y + dy, steps=3)
    page.mouse.up()
    notebook.becomes("sphere.selection.to_dict('records')", [{"name": "a", "size": 1.5}])
    page.keyboard.press("Escape")
    notebook.python("sphere.select([2])")
    # Questions are answered by the kernel: what is found is counted, and near rows are drawn.
    stage.focus()
    page.keyboard.press("/")
    page.keyboard.type("3.5")
    page.keyboard.press("Enter")
    page.get_by_text("1 row found").wait_for()
    page.get_by_role("button", name="Next row found").click()
    stage.focus()
    page.keyboard.press("k")
    page.locator(".ftx-sphere-ranked li").nth(2).wait_for()
    notebook.becomes("sphere._neighbours['label']", "2")
    assert "on the sphere only" in page.locator(".ftx-sphere-panel").inner_text()
    assert len(notebook.cells()) == before
    notebook.theme("Dark")
    settle(page, 600)
    notebook.screenshot("sphere-dark")
    # What is done in one of two linked spheres arrives in both, by row and not by place.
    notebook.run(2)
    notebook.becomes("other.selected_ids", [2])
    page.locator(".ftx-sphere-stage").nth(1).focus()
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    notebook.becomes("sphere.selected_ids", [1])
    notebook.becomes("other.selected_ids", [1])
    rings = page.evaluate(RINGS)
    one, two = (page.locator(".ftx-sphere-stage").nth(place) for place in (0, 1))
    one.focus()
    page.keyboard.press("n")
    settle(page, 600)
    assert page.evaluate(RINGS)[1] > rings[1], "where one points is not ringed in the other"
    two.focus()
    notebook.python("joined.unlink()")
    settle(page, 600)
    page.keyboard.press("Escape")
    notebook.becomes("other.selected_ids", [])
    assert notebook.python("sphere.selected_ids") == [1]
    # The wheel is the notebook's while the sphere has not the focus.
    page.evaluate("document.activeElement.blur()")
    notebook.cell(2).locator(".ftx-sphere-stage").hover()
    scrolled = "document.querySelector('.jp-WindowedPanel-outer').scrollTop"
    before = page.evaluate(scrolled)
    assert before > 100
    page.mouse.wheel(0, -90)
    page.wait_for_function(f"before => {scrolled} < before", arg=before)
    assert notebook.complaints == []
