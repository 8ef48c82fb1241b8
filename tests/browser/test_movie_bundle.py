"""The movie bundle in a real Chromium: playing, scrubbing, the curve, colours, access, files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser

from featrix_notebook import TrainingMovie
from featrix_notebook.movie.raster import LIGHT, Points, View, ball
from tests.browser.sphere_page import FRONT, Open, Opened, complaints_of, opener, saturated
from tests.waiting import wait_until

FRAMES = 9


@pytest.fixture
def open_movie(browser: Browser) -> Iterator[Open]:
    with opener(browser) as open_:
        yield open_


def training(n: int = 400, frames: int = FRAMES, **options: Any) -> TrainingMovie:
    """A heap before the reader's eye that splits into groups."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4, n)
    homes = np.array([FRONT, (0, 0, 1), (-1, 0, 0), (0, 1, -0.4)])[group]
    noise = rng.normal(size=(n, 3)) * 0.2
    share = np.linspace(0, 1, frames)[:, None, None]
    xyz = np.array(FRONT) * (1 - share) + homes * share + noise
    rows = pd.DataFrame({"plan": np.array(["basic", "pro", "team", None], object)[group]})
    losses = np.linspace(3, 1, frames)
    return TrainingMovie(
        xyz, rows=rows, clusters=group, losses=losses, **{"autoplay": False, **options}
    )


def time(opened: Opened) -> float:
    return float(opened.page.locator(".ftx-movie-scrubber").input_value())


def caption(opened: Opened) -> str:
    return opened.page.locator(".ftx-movie-caption").inner_text()


def loaded(opened: Opened) -> None:
    here = "document.querySelector('.ftx-movie-scrubber').style.getPropertyValue('--here')"
    opened.page.wait_for_function(f"{here} === '100.00%'")


def box(opened: Opened, selector: str) -> dict[str, float]:
    found = opened.page.locator(selector).first.bounding_box()
    assert found is not None
    return dict(found)


def test_it_plays_to_its_end_and_tells_the_kernel(open_movie: Open) -> None:
    opened = open_movie(training(fps=8, autoplay=True))
    opened.page.wait_for_function(
        f"document.querySelector('.ftx-movie-caption').textContent === 'Epoch {FRAMES - 1}'"
    )
    opened.page.get_by_role("button", name="Play (space)").wait_for()
    opened.settle(400)
    assert (opened.widget.epoch, opened.widget.playing) == (FRAMES - 1, False)
    first = opened.pixels()
    opened.page.get_by_role("button", name="Play (space)").click()
    opened.settle(100)
    opened.page.get_by_role("button", name="Pause").click()
    assert time(opened) < FRAMES - 1, "from the end it begins again"
    assert not np.array_equal(opened.pixels(), first)


def test_every_key_does_what_it_says(open_movie: Open) -> None:
    opened = open_movie(training())
    loaded(opened)
    keyboard = opened.page.keyboard
    for target in (".ftx-sphere-stage", ".ftx-movie-scrubber"):
        opened.page.locator(target).focus()
        keyboard.press("End")
        assert caption(opened) == f"Epoch {FRAMES - 1}"
        keyboard.press("ArrowLeft")
        assert caption(opened) == f"Epoch {FRAMES - 2}"
        keyboard.press("Home")
        assert time(opened) == 0
        keyboard.press("ArrowRight")
        assert (caption(opened), time(opened)) == ("Epoch 1", 1)
        keyboard.press("]")
        assert opened.page.get_by_label("Speed").input_value() == "2"
        keyboard.press("[")
        assert opened.page.get_by_label("Speed").input_value() == "1"
        keyboard.press(" ")
        opened.page.get_by_role("button", name="Pause").wait_for()
        keyboard.press(" ")
        opened.page.get_by_role("button", name="Play").wait_for()
    before = opened.pixels()
    opened.focus()
    keyboard.press("Shift+ArrowRight")
    opened.settle()
    assert not np.array_equal(opened.pixels(), before), "the sphere does not turn"
    wait_until(lambda: opened.widget._camera["yaw"] != 0, "the camera is told")
    wait_until(lambda: opened.widget.epoch == int(time(opened)), "the epoch is told")


def test_scrubbing_asks_the_kernel_for_nothing(open_movie: Open) -> None:
    opened = open_movie(training())
    loaded(opened)
    sent = opened.page.evaluate("host.sent.length")
    track = box(opened, ".ftx-movie-scrubber")
    pictures = []
    mouse = opened.page.mouse
    y = track["y"] + track["height"] / 2
    mouse.move(track["x"] + 8, y)
    mouse.down()
    for share in (0.3, 0.55, 0.9):
        mouse.move(track["x"] + track["width"] * share, y)
        opened.settle(120)
        pictures.append(opened.pixels())
    mouse.up()
    opened.settle()
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])
    assert time(opened) == round(time(opened)), "it comes to rest on a frame"
    assert opened.page.evaluate("host.sent.length") == sent
    assert opened.widget.epoch == time(opened)


def test_the_first_frame_is_there_before_any_other(open_movie: Open) -> None:
    movie = training()
    movie._desk._frames = lambda asked: (_ for _ in ()).throw(ValueError("the kernel is busy"))
    movie._desk._quick["frames"] = movie._desk._frames
    opened = open_movie(movie)
    assert saturated(opened.pixels()).sum() > 800
    assert caption(opened) == "Epoch 0"
    assert "the kernel is busy" in opened.page.locator(".ftx-error").inner_text()


def test_a_large_movie_stays_within_its_bytes(open_movie: Open) -> None:
    rng = np.random.default_rng(0)
    opened = open_movie(TrainingMovie(rng.normal(size=(200, 5000, 3)), autoplay=False))
    loaded(opened)
    assert opened.kernel.sent_bytes == 200 * 5000 * 4
    opened.page.evaluate("host.model.set('epoch', 150)")
    opened.settle()
    assert caption(opened) == "Epoch 150"


def test_curve_and_movie_point_at_one_another(open_movie: Open) -> None:
    opened = open_movie(training())
    loaded(opened)
    head = box(opened, ".ftx-movie-playhead")
    opened.focus()
    opened.page.keyboard.press("End")
    assert box(opened, ".ftx-movie-playhead")["x"] > head["x"] + 100
    values = opened.page.locator(".ftx-movie-values").inner_text()
    assert re.search(r"training\s+1\b", values), values
    plot = box(opened, ".ftx-movie-curve .u-over")
    opened.page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + 40)
    opened.page.mouse.down()
    opened.settle(100)
    assert caption(opened) == f"Epoch {FRAMES // 2}"
    opened.page.mouse.move(plot["x"] + plot["width"] / 4, plot["y"] + 60, steps=4)
    opened.page.mouse.up()
    assert caption(opened) == f"Epoch {FRAMES // 4}"
    opened.page.mouse.move(plot["x"] + plot["width"] - 4, plot["y"] + 60)
    assert caption(opened) == f"Epoch {FRAMES // 4}", "only a drag takes the movie along"


def test_films_look_like_the_page(open_movie: Open) -> None:
    opened = open_movie(training(n=1500, size=8))
    loaded(opened)
    opened.page.add_style_tag(content=".ftx-movie-caption, .ftx-sphere-tools { display: none; }")
    opened.page.evaluate("host.model.set('epoch', 6)")
    opened.settle()
    stage = box(opened, ".ftx-sphere-stage")
    shown = opened.pixels()
    movie = opened.widget
    film = movie._film()
    view = View(int(stage["width"]), int(stage["height"]))
    picture = ball(view, LIGHT)
    points = Points(view, LIGHT, 8, view.width)
    points.paint(picture, movie._movie.xyz[6][movie._order], film._colors[0])
    drawn = picture[8:-8, 8:-8].astype(np.int16)
    difference = np.abs(drawn[: shown.shape[0], : shown.shape[1]] - shown)
    assert difference.mean() < 3.5, difference.mean()
    assert saturated(drawn).sum() == pytest.approx(saturated(shown).sum(), rel=0.06)


def test_colours_by_column_by_cluster_and_by_the_clusters_of_each_epoch(open_movie: Open) -> None:
    each = np.zeros((FRAMES, 400), int)
    each[FRAMES // 2 :] = np.arange(400) % 3
    movie = training()
    movie.close()
    movie = TrainingMovie(movie._movie.xyz, clusters=each, autoplay=False)
    opened = open_movie(movie)
    loaded(opened)
    chooser = opened.page.get_by_label("Colour by", exact=True)
    chooser.select_option(label="Clusters of each epoch")
    opened.settle()

    def hues() -> int:
        picture = opened.pixels()
        colors = picture[saturated(picture)] // 48
        return len(np.unique(colors, axis=0))

    early = hues()
    opened.page.evaluate(f"host.model.set('epoch', {FRAMES - 1})")
    opened.settle()
    assert hues() > early + 2
    opened.page.get_by_role("button", name="Cluster 1").click()
    opened.settle()
    assert opened.page.locator(".ftx-sphere-entry[aria-pressed='false']").count() == 1


def test_trails_follow_the_points_and_vanish_at_the_start(open_movie: Open) -> None:
    opened = open_movie(training(n=60, fps=4))
    loaded(opened)
    opened.page.evaluate("host.model.set('epoch', 4)")
    opened.settle()
    without = opened.pixels()
    opened.page.get_by_role("button", name="Trails").click()
    opened.page.mouse.move(2, 2)
    opened.settle()
    assert (np.abs(opened.pixels() - without).max(axis=2) > 25).sum() > 200
    opened.page.evaluate("host.model.set('epoch', 0)")
    opened.settle()
    at_start = opened.pixels()
    opened.page.get_by_role("button", name="Trails").click()
    opened.page.mouse.move(2, 2)
    opened.settle()
    assert np.array_equal(at_start, opened.pixels())


def test_a_point_is_followed_by_its_row(open_movie: Open) -> None:
    opened = open_movie(training(n=40))
    loaded(opened)
    opened.focus()
    opened.page.keyboard.press("n")
    opened.settle(700)
    opened.page.keyboard.press("Enter")
    opened.settle()
    assert len(opened.widget.selection) == 1
    assert "plan" in opened.page.locator(".ftx-sphere-card").inner_text()
    assert opened.page.locator(".ftx-sphere-selected").inner_text() == "1 selected"
    opened.page.keyboard.press("Escape")
    opened.settle()
    assert opened.widget.selection.empty


def test_frames_of_a_running_training_join(open_movie: Open) -> None:
    movie = training()
    whole = movie._movie
    movie._live, movie._options["fps"] = True, 20
    start = type(whole)(whole.epochs[:3], whole.xyz[:3], whole.points)
    movie.packed = movie.packed[:3]
    movie._movie = start
    movie._show()
    movie.playing = True
    opened = open_movie(movie)
    opened.page.wait_for_function(
        "document.querySelector('.ftx-movie-caption').textContent === 'Epoch 2'"
    )
    opened.settle(200)
    assert opened.page.get_by_role("button", name="Pause").is_visible(), "it waits for more"
    with movie._lock:
        movie._take_movie(start.extended(whole.epochs[3:6], whole.xyz[3:6]))
        movie._show()
    opened.push()
    opened.page.wait_for_function(
        "document.querySelector('.ftx-movie-caption').textContent === 'Epoch 5'"
    )
    assert "6 epochs, training" in opened.page.locator(".ftx-movie-panel").inner_text()


def test_a_file_is_made_watched_and_taken(open_movie: Open) -> None:
    opened = open_movie(training(fps=60, title="my <b>model</b>"), accept_downloads=True)
    opened.page.get_by_role("button", name="Save").click()
    opened.page.get_by_label("Kind of file").select_option("gif")
    with opened.page.expect_download(timeout=60_000) as download:
        opened.page.get_by_role("button", name="Make file").click()
        for _ in range(200):
            opened.settle(100)
            if any("id" in message for message, _ in opened.kernel.outbox):
                opened.push()
                break
    assert download.value.suggested_filename == "my-b-model-b--movie.gif"
    assert download.value.path().read_bytes().startswith(b"GIF8")
    assert "Made: 0." in opened.page.locator(".ftx-movie-drawer:visible").inner_text()


def test_what_publishing_says_is_shown(open_movie: Open) -> None:
    movie = training()
    movie._is_model = True
    movie._show()
    asked: list[Any] = []

    class Source:
        def publish_checkpoint(self, **given: Any) -> None:
            asked.append(given)
            raise ValueError("Weights are kept of the epochs 0, 5 and 8. <img src=x>")

    movie._source = Source()
    opened = open_movie(movie)
    opened.page.evaluate("host.model.set('epoch', 3)")
    opened.page.get_by_role("button", name="Publish").click()
    opened.page.get_by_label("Name").fill("third")
    opened.page.get_by_role("button", name="Publish epoch 3").click()
    opened.settle(500)
    opened.push()
    assert asked == [{"name": "third", "org_id": None, "checkpoint_epoch": 3}]
    drawer = opened.page.locator(".ftx-movie-drawer:visible")
    assert "epochs 0, 5 and 8. <img src=x>" in drawer.inner_text()


def test_less_motion_means_steps_only(open_movie: Open) -> None:
    opened = open_movie(training(autoplay=True, fps=20), reduced_motion="reduce")
    before = opened.pixels()
    opened.settle(600)
    assert np.array_equal(opened.pixels(), before)
    opened.focus()
    opened.page.keyboard.press(" ")
    opened.settle(600)
    assert caption(opened) == "Epoch 0"
    assert "less motion" in opened.page.locator(".ftx-sphere-hint").inner_text()
    opened.page.keyboard.press("ArrowRight")
    opened.settle()
    assert caption(opened) == "Epoch 1"


def test_it_has_words_for_those_who_do_not_see_it(open_movie: Open) -> None:
    opened = open_movie(training())
    loaded(opened)
    scrubber = opened.page.locator(".ftx-movie-scrubber")
    opened.focus()
    opened.page.keyboard.press("ArrowRight")
    opened.settle(500)
    assert scrubber.get_attribute("aria-valuetext") == "epoch 1 of 8"
    said = opened.page.locator("[aria-live='polite']").all_inner_texts()
    assert any("epoch 1 of 8" in text for text in said), said
    unnamed = opened.page.evaluate(
        "[...document.querySelectorAll('button, input, select, progress')].filter("
        "(e) => !(e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim())).length"
    )
    assert unnamed == 0
    described = opened.page.locator(".ftx-sphere-stage").get_attribute("aria-describedby")
    text = opened.page.locator(f"#{described}").text_content() or ""
    assert "Space plays" in text
    assert "loss from 3 to 1" in text


def test_forced_colours_keep_it_usable(open_movie: Open) -> None:
    opened = open_movie(training(), forced_colors="active")
    loaded(opened)
    assert opened.page.locator(".ftx-sphere-swatch polygon").count() >= 2
    assert saturated(opened.pixels()).sum() > 800


@pytest.mark.parametrize("frames", [[[FRONT]], [[FRONT]] * 2, [[FRONT, FRONT]] * 3])
def test_hardly_anything_to_show(open_movie: Open, frames: Any) -> None:
    opened = open_movie(TrainingMovie(frames, title="<script>alert(1)</script>\u202e👩‍👩‍👧"))
    opened.settle(600)
    assert saturated(opened.pixels()).sum() > 5
    assert "<script>" in opened.page.locator(".ftx-sphere-title").inner_text()
    for key in ("ArrowRight", " ", "End", "n"):
        opened.focus()
        opened.page.keyboard.press(key)
    opened.settle()


def test_an_exported_page_needs_neither_kernel_nor_network(browser: Browser, tmp_path: Any) -> None:
    movie = training(title="</script><b>x</b>")
    movie.color_by = "plan"
    path = movie.save(tmp_path / "movie.html")
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 700})
    page = context.new_page()
    complaints = complaints_of(page)
    page.goto(path.as_uri())
    page.locator(".ftx-sphere-stage").focus()
    page.keyboard.press("End")
    page.wait_for_function(
        f"document.querySelector('.ftx-movie-caption').textContent === 'Epoch {FRAMES - 1}'"
    )
    page.get_by_label("Colour by", exact=True).select_option(label="Clusters of each epoch")
    page.locator(".ftx-sphere-label", has_text="Cluster 3").wait_for()
    page.keyboard.press("Shift+Tab")
    page.locator(".ftx-sphere-stage").focus()
    page.keyboard.press("n")
    page.locator(".ftx-sphere-card", has_text="plan").wait_for()
    assert not page.get_by_role("button", name="Save").is_visible()
    assert page.title() == "</script><b>x</b>"
    context.close()
    assert not complaints, complaints


def test_closed_views_leave_nothing_behind(open_movie: Open) -> None:
    opened = open_movie(training())
    opened.page.evaluate("async () => { for (let i = 0; i < 4; i++) await host.show(); }")
    opened.settle()
    opened.focus()
    opened.page.keyboard.press("End")
    opened.settle()
    captions = opened.page.locator(".ftx-movie-caption").all_inner_texts()
    assert captions == [f"Epoch {FRAMES - 1}"] * 5, "views of one movie move together"
    opened.page.get_by_role("button", name="Play (space)").first.click()
    opened.page.wait_for_function(
        "(last) => [...document.querySelectorAll('.ftx-movie-scrubber')].slice(0, 2)"
        ".every((e) => 0 < Number(e.value) && Number(e.value) < last)",
        arg=FRAMES - 1,
        polling=50,
    )
    opened.page.evaluate("host.close()")
    left = opened.page.evaluate(
        "[Symbol.for('featrix.gl.1') in globalThis,"
        " document.querySelectorAll('.ftx-movie').length,"
        " [...host.handlers.values()].flat().length]"
    )
    assert left == [False, 0, 0]
