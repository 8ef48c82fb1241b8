"""The sphere bundle in a real Chromium: themes, lost contexts, hostile tables, access."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from featrix_notebook.widgets.sphere import SphereExplorer
from tests.browser.sphere_page import DARK, FRONT, Open, saturated, table


def test_a_new_theme_is_followed_live(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    light = opened.pixels()
    opened.page.add_style_tag(content=DARK + " body, main { background: #111 !important; }")
    opened.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    opened.settle(500)
    dark = opened.pixels()
    assert light.mean() > 180
    assert dark.mean() < 90


def test_a_host_may_attach_the_view_long_after_it_is_drawn(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    at_once = opened.pixels()
    opened.page.evaluate("document.querySelector('main').replaceChildren()")
    opened.page.evaluate("host.show(200)")
    opened.settle(600)
    assert abs(opened.pixels().mean() - at_once.mean()) < 2


def test_the_canvas_has_the_pixels_of_the_screen(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows), device_scale_factor=2)
    sizes = opened.page.evaluate(
        "[...document.querySelectorAll('canvas')].map((c) => [c.width, c.clientWidth])"
    )
    assert all(width == 2 * client for width, client in sizes)


def test_a_lost_context_is_drawn_in_software_until_it_returns(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    before = opened.pixels()
    lose = "globalThis[Symbol.for('featrix.gl.1')].gl.getExtension('WEBGL_lose_context')"
    opened.page.evaluate(f"() => {{ window.held = {lose}; held.loseContext(); }}")
    opened.settle()
    assert opened.page.locator(".ftx-sphere-badge").is_visible()
    software = opened.pixels()
    ratio = saturated(software).sum() / saturated(before).sum()
    assert 0.6 < ratio < 1.6
    opened.page.evaluate("() => held.restoreContext()")
    opened.settle()
    assert not opened.page.locator(".ftx-sphere-badge").is_visible()
    assert np.array_equal(opened.pixels(), before)


def test_without_webgl_the_sphere_is_drawn_and_says_so(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(
        SphereExplorer(xyz, rows=rows, color_by="plan", shapes=True),
        script="const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest)"
        " { return kind === 'webgl2' ? null : get.call(this, kind, ...rest); };",
    )
    assert saturated(opened.pixels()).sum() > 2000
    assert "WebGL2 is not available" in opened.page.locator(".ftx-sphere-notes").inner_text()


def test_twenty_spheres_share_one_context_and_free_it(open_sphere: Open) -> None:
    xyz, rows = table(200)
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    page = opened.page
    page.evaluate("async () => { for (let i = 0; i < 19; i++) await host.show(); }")
    opened.settle(800)
    stages = page.locator(".ftx-sphere-stage")
    assert stages.count() == 20
    for place in (0, 9, 19):
        stages.nth(place).scroll_into_view_if_needed()
        opened.settle(250)
        assert saturated(opened.pixels(stages.nth(place))).sum() > 800, place
    page.evaluate("host.close()")
    left = page.evaluate(
        "[Symbol.for('featrix.gl.1') in globalThis,"
        " document.querySelectorAll('.ftx-sphere').length,"
        " [...host.handlers.values()].flat().length]"
    )
    assert left == [False, 0, 0]


def hostile() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 320
    return pd.DataFrame(
        {
            "<script>alert(1)</script>": ["<img src=x onerror=alert(2)>", "\"'</style>&amp;"] * 160,
            "many": [f"v{i % 300}" for i in range(n)],
            "nothing": [None] * n,
            "number": rng.permutation([np.nan, np.inf, -np.inf, 1e308, -1e308, *range(n - 5)]),
            "long": ["x" * 10_000] * n,
            "עברית": ["שלום עולם \u202e reversed"] * n,
            "🎉 emoji": ["👩‍👩‍👧‍👦"] * n,
            "lists": [[i, {"a": None}] for i in range(n)],
            "when": pd.date_range("1900-01-01", periods=n, freq="97D"),
        }
    )


def test_a_hostile_table_is_only_text(open_sphere: Open) -> None:
    rows = hostile()
    xyz = np.random.default_rng(1).normal(size=(len(rows), 3))
    xyz[0] = FRONT
    opened = open_sphere(SphereExplorer(xyz, rows=rows))
    opened.page.on("dialog", lambda dialog: opened.complaints.append(dialog.message))
    chooser = opened.page.get_by_label("Colour by", exact=True)
    for name in map(str, rows.columns):
        chooser.select_option(label=name)
        opened.settle(150)
        assert opened.widget.color_by == name
    x, y = opened.middle()
    opened.page.mouse.move(x + 1, y)
    opened.settle()
    assert "<img src=x onerror=alert(2)>" in opened.page.locator(".ftx-sphere-card").inner_text()
    assert opened.page.locator("main img, main script").count() == 0
    chooser.select_option(label="many")
    opened.settle()
    assert opened.page.locator(".ftx-sphere-entry").count() == 12
    assert "Other (289 values)" in opened.page.locator(".ftx-sphere-legend").inner_text()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_rows(open_sphere: Open, n: int) -> None:
    frame = pd.DataFrame(
        {"x": [FRONT[0]] * n, "y": [FRONT[1]] * n, "z": [FRONT[2]] * n, "a": ["q"] * n}
    )
    opened = open_sphere(SphereExplorer(frame, color_by="a"))
    x, y = opened.middle()
    opened.page.mouse.click(x, y)
    opened.settle()
    assert len(opened.widget.selection) == min(n, 1)
    opened.page.keyboard.press("n")
    opened.settle()


def test_many_points_are_whole_at_rest(open_sphere: Open) -> None:
    n = 120_000
    rng = np.random.default_rng(0)
    xyz = np.array(FRONT) + rng.normal(size=(n, 3)) * 0.5
    opened = open_sphere(SphereExplorer(xyz, color_by=rng.normal(size=n)))
    opened.settle(1500)
    whole = saturated(opened.pixels()).mean()
    x, y = opened.middle()
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 30, y, steps=3)
    opened.page.mouse.move(x, y, steps=3)
    opened.page.mouse.up()
    opened.page.mouse.move(2, 2)
    opened.focus()
    opened.page.keyboard.press("0")
    opened.settle(2500)
    assert saturated(opened.pixels()).mean() == pytest.approx(whole, rel=0.02)
    assert "all rows at rest" in opened.page.locator(".ftx-sphere-notes").inner_text()


def test_it_has_words_for_those_who_do_not_see_it(open_sphere: Open) -> None:
    xyz, rows = table(1000)
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"))
    stage = opened.page.locator(".ftx-sphere-stage")
    assert stage.get_attribute("aria-label") == "1,000 rows on a sphere, coloured by plan"
    described = stage.get_attribute("aria-describedby")
    text = opened.page.locator(f"#{described}").text_content() or ""
    assert "basic " in text
    assert "Arrow keys turn" in text
    unnamed = opened.page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter("
        "(e) => !(e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim())).length"
    )
    assert unnamed == 0


def test_forced_colours_bring_shapes(open_sphere: Open) -> None:
    xyz, rows = table()
    opened = open_sphere(SphereExplorer(xyz, rows=rows, color_by="plan"), forced_colors="active")
    assert opened.page.get_by_label("Shapes as well as colours").is_checked()
    assert opened.page.locator(".ftx-sphere-swatch polygon").count() >= 2
    assert saturated(opened.pixels()).sum() > 1500
