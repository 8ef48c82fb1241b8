"""Films of a movie: pictures without a browser, files of every kind, and nothing half-written."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from featrix_notebook import NotebookHelper, TrainingMovie
from featrix_notebook.movie import writers
from featrix_notebook.movie.path import Path as Way
from featrix_notebook.movie.raster import DARK, LIGHT, Points, View, ball
from tests.notebook.page_data import page_data

SMALL = (320, 180)


def frames(count: int = 4, n: int = 80, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    start, end = rng.normal(size=(2, n, 3))
    return np.stack([start + (end - start) * t for t in np.linspace(0, 1, count)])


@pytest.fixture
def movie() -> TrainingMovie:
    rows = pd.DataFrame({"plan": ["basic", "pro"] * 40})
    return TrainingMovie(frames(), losses=[4, 3, 2, 1], rows=rows, color_by="plan", fps=8)


def saturated(picture: np.ndarray) -> np.ndarray:
    picture = picture.astype(int)
    return picture.max(axis=2) - picture.min(axis=2) > 70


# ------------------------------------------------------------------ between frames


def test_the_way_is_on_the_sphere_without_jumps_of_velocity() -> None:
    xyz = frames(6)
    xyz /= np.linalg.norm(xyz, axis=2)[..., None]
    way = Way(xyz.astype(np.float32))
    for time in np.linspace(0, 5, 41):
        assert np.allclose(np.linalg.norm(way.at(time), axis=1), 1, atol=1e-5)
    for frame in range(6):
        assert np.allclose(way.at(frame), xyz[frame], atol=1e-6)
    step = 2e-3
    for frame in range(1, 5):
        before = (way.at(frame) - way.at(frame - step)) / step
        after = (way.at(frame + step) - way.at(frame)) / step
        speed = np.linalg.norm(before, axis=1).mean()
        assert np.linalg.norm(after - before, axis=1).max() < 0.1 * speed


def test_two_identical_frames_are_a_rest_and_opposite_points_are_no_trouble() -> None:
    still = np.array([[[1, 0, 0]], [[0, 1, 0]], [[0, 1, 0]], [[0, 0, 1]]], np.float32)
    way = Way(still)
    for time in (1.0, 1.3, 1.7, 2.0):
        assert np.allclose(way.at(time), [[0, 1, 0]], atol=1e-6)
    opposite = Way(np.array([[[1, 0, 0]], [[-1, 0, 0]]], np.float32))
    for time in (0.0, 0.25, 0.5, 1.0):
        assert np.allclose(np.linalg.norm(opposite.at(time), axis=1), 1, atol=1e-5)
    assert np.array_equal(Way(still[:1]).at(3.0), still[0])


# ------------------------------------------------------------------ pictures


def painted(xyz: Any, color: Any, *, chosen: Any = None, size: float = 12) -> np.ndarray:
    view = View(200, 200, {"yaw": 0, "pitch": 0})
    picture = ball(view, LIGHT)
    points = Points(view, LIGHT, size, 200)
    points.paint(picture, np.asarray(xyz, np.float32), np.asarray(color, np.float32), chosen)
    return picture


def test_a_point_is_where_the_camera_sees_it_in_its_colour() -> None:
    picture = painted([[1, 0, 0]], [[200, 30, 30]])
    assert picture[100, 100].tolist() == [200, 30, 30]
    area = saturated(picture).sum()
    assert area == pytest.approx(np.pi * 36, rel=0.15)
    side = painted([[np.cos(0.7), np.sin(0.7), 0]], [[200, 30, 30]])
    rows, columns = np.nonzero(saturated(side))
    assert columns.mean() == pytest.approx(100 + 90 * np.sin(0.7), abs=0.6)
    assert rows.mean() == pytest.approx(99.5, abs=0.6)


def test_near_points_hide_far_ones_and_the_far_side_is_faint() -> None:
    red, blue = [200, 30, 30], [30, 30, 200]
    for order in ([0, 1], [1, 0]):
        xyz = np.array([[1, 0, 0], [-1, 0, 0]])[order]
        assert painted(xyz, np.array([red, blue])[order])[100, 100].tolist() == red
    faint = painted([[-1, 0, 0]], [blue])[100, 100].astype(int)
    assert 20 < np.ptp(faint) < 100


def test_chosen_points_stand_out() -> None:
    xyz = [[1, 0.3, 0], [1, -0.3, 0]]
    xyz = np.array(xyz) / np.linalg.norm(xyz, axis=1)[:, None]
    picture = painted(xyz, [[200, 30, 30]] * 2, chosen=np.array([True, False]))
    assert saturated(picture)[:, 100:].sum() > 100
    assert saturated(picture)[:, :100].sum() == 0


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_ball_has_the_colours_of_the_theme(theme: Any) -> None:
    picture = ball(View(200, 200), theme)
    assert picture[0, 0].tolist() == [int(theme.ground[i : i + 2], 16) for i in (1, 3, 5)]
    lit = picture[60, 65].astype(int).sum()
    assert lit > picture[150, 150].astype(int).sum()


def test_a_film_shows_epoch_curve_and_legend(movie: TrainingMovie) -> None:
    film = movie._film(size=(640, 360))
    first, last = film.at(0.0), film.at(3.0)
    assert first.shape == (360, 640, 3)
    assert saturated(first)[:, :400].sum() > 300
    assert saturated(first)[:, 420:].sum() > 50, "no curve or legend"
    changed = np.abs(first.astype(int) - last).max(axis=2) > 40
    assert changed[:, 420:].any(), "the playhead did not move"
    assert changed[320:, :150].any(), "the epoch's number did not change"
    with_trails = movie._film(size=(640, 360), trails=True)
    assert np.abs(with_trails.at(1.5).astype(int) - film.at(1.5)).max() > 30
    assert np.abs(with_trails.at(0.0).astype(int) - first).max() == 0


def test_an_upright_film_is_the_sphere_alone_and_odd_sides_lose_a_pixel(
    movie: TrainingMovie,
) -> None:
    film = movie._film(size=(301, 401), dark=True)
    assert film.at(1.0).shape == (400, 300, 3)
    assert film.at(1.0)[2, 2].max() < 40


def test_a_film_lasts_as_long_as_it_plays(movie: TrainingMovie) -> None:
    assert len(movie._film().times(30)) == round(3 / 8 * 30) + 1 + 30
    assert len(movie._film(speed=0.25).times(30)) == round(3 / 2 * 30) + 1 + 30


# ------------------------------------------------------------------ files


def test_an_mp4_has_every_picture(movie: TrainingMovie, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = movie.save(
        tmp_path / "a.mp4", size=SMALL, progress=lambda done, total: told.append((done, total))
    )
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    expected = len(movie._film().times(30))
    assert count == expected
    assert seconds == pytest.approx(expected / 30, abs=0.1)
    assert told == [(i + 1, expected) for i in range(expected)]
    first = next(iter(iio.imiter(path)))
    assert first.shape == (180, 320, 3)
    assert np.abs(first.astype(int) - movie._film(size=SMALL).at(0.0)).mean() < 6
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_gif_repeats_and_keeps_its_colours(movie: TrainingMovie, tmp_path: Path) -> None:
    path = movie.save(tmp_path / "it's a: gif.gif", size=SMALL, progress=False)
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        shown = np.asarray(image.convert("RGB"), dtype=int)
    assert np.abs(shown - movie._film(size=SMALL).at(0.0)).mean() < 6


def test_few_points_of_a_colour_keep_it_in_a_palette() -> None:
    movie = TrainingMovie(frames(n=400), clusters=(np.arange(400) < 2).astype(int))
    film = movie._film(size=(640, 360))
    colors = np.array(film.palette().getpalette()).reshape(-1, 3).tolist()
    for color in movie._coding.colors:
        assert [int(color[i : i + 2], 16) for i in (1, 3, 5)] in colors


def test_pictures_go_into_a_folder_by_epoch(movie: TrainingMovie, tmp_path: Path) -> None:
    path = movie.save(tmp_path / "pictures", size=SMALL, progress=False)
    assert sorted(p.name for p in path.iterdir()) == [f"epoch-{e:04d}.png" for e in range(4)]
    assert np.array_equal(iio.imread(path / "epoch-0002.png"), movie._film(size=SMALL).at(2.0))
    (tmp_path / "empty").mkdir()
    assert len(list(movie.save(tmp_path / "empty", size=SMALL, progress=True).iterdir())) == 4


def test_an_existing_file_is_replaced_only_by_a_whole_one(
    movie: TrainingMovie, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"precious")

    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        movie.save(path, size=SMALL, progress=interrupt)
    with pytest.raises(writers.CancelledError):
        movie.save(path, size=SMALL, progress=lambda done, total: done < 5)
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    movie.save(path, size=SMALL, progress=False)
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.webm", {}, "saved as .mp4, .gif or .html"),
        ("nowhere/a.mp4", {}, "There is no folder"),
        ("full", {}, "not empty"),
        ("a.mp4", {"size": (10, 10)}, "from 160 to 4096"),
        ("a.mp4", {"speed": 9}, "speed must be between 0.25 and 8"),
        ("a.mp4", {"fps": 0}, "fps must be between"),
    ],
)
def test_what_cannot_be_saved_is_told(
    movie: TrainingMovie, tmp_path: Path, name: str, options: dict[str, Any], words: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=words):
        movie.save(tmp_path / name, progress=False, **options)
    assert [p.name for p in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize("kind", ["mp4", "gif", "zip", "png", "html"])
def test_a_page_is_given_the_bytes_of_a_file(movie: TrainingMovie, kind: str) -> None:
    if kind in ("mp4", "gif"):
        movie._options["fps"] = 40
    data = writers.to_bytes(movie, kind, {"speed": 1, "dark": True}, lambda done, total: None)
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.namelist() == [f"epoch-{e:04d}.png" for e in range(4)]
    marks = {"mp4": b"ftyp", "gif": b"GIF8", "png": b"PNG", "zip": b"PK", "html": b"<!doctype"}
    assert marks[kind] in data[:32]


def test_an_export_can_be_cancelled_from_the_page(movie: TrainingMovie) -> None:
    answers: list[dict[str, Any]] = []
    over = threading.Event()

    def send(message: dict[str, Any], buffers: Any = None) -> None:
        answers.append(message)
        if message["kind"] == "exporting":
            movie._handle_custom_msg({"kind": "cancel", "job": "j"}, [])
        else:
            over.set()

    movie.send = send
    movie._handle_custom_msg({"kind": "export", "id": "1", "job": "j", "format": "mp4"}, [])
    assert over.wait(60)
    assert answers[-1]["error"] == "The export was cancelled."
    over.clear()
    movie._handle_custom_msg({"kind": "export", "id": "2", "job": "k", "format": "exe"}, [])
    assert over.wait(60)
    assert answers[-1]["error"] == "A movie cannot be saved as 'exe'."


def test_a_page_holds_everything_and_no_address(movie: TrainingMovie) -> None:
    movie._points.rows["plan"] = "</script><script>alert(1)</script>"
    movie.color_by = "plan"
    text = movie.to_html()
    assert text.count("<script") == 3
    assert "alert(1)</script>" not in text
    whole = text + json.dumps(page_data(text), ensure_ascii=False)
    addresses = set(re.findall(r"https?://[^\s\"'\\)]+", whole))
    assert all(a.startswith("http://www.w3.org/") for a in addresses), addresses
    assert len(text) < 600_000


def test_names_for_files_hold_no_paths(tmp_path: Path) -> None:
    path = writers.free_name(tmp_path, "../../etc/<b>pass wd</b>\0", ".html")
    assert path.parent == tmp_path
    assert re.fullmatch(r"[\w-]+\.html", path.name)
    path.write_text("taken")
    assert writers.free_name(tmp_path, "../../etc/<b>pass wd</b>\0", ".html") != path
    assert writers.free_name(tmp_path, "...", ".html").name == "movie.html"


def test_the_helper_gives_a_widget_or_a_file(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = NotebookHelper()
    assert isinstance(notebook.training_movie(trained, fps=4), TrainingMovie)
    monkeypatch.chdir(tmp_path)
    path = notebook.training_movie(trained, notebook_mode=False)
    assert path == tmp_path / f"{trained.name}-movie.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
