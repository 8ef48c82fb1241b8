"""The training movie: what it costs to send, to scrub and to save, beside matplotlib.

``python tests/bench/bench_movie.py [--points 5000] [--epochs 100] [--fps 20] [--rounds 3]``

Films: the same pictures (number, size, rate, encoder) by ``TrainingMovie.save`` and by matplotlib's
``FuncAnimation`` with a 3D scatter and a loss curve, alternating; the best of the rounds counts.
Page: 5,000 points x 200 epochs in headless Chromium with software GL: bytes, time to the first and
to the last frame, and scrubbing through all of it, which must not ask the kernel.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg
import matplotlib as mpl
import numpy as np

from featrix_notebook import TrainingMovie
from featrix_notebook.coding import CATEGORY_COLORS
from featrix_notebook.movie.writers import RATE
from featrix_notebook.widgets.base import bundle

SIZE = (1280, 720)


def training(points: int, epochs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (epochs, points, 3), clusters and losses of a training that never was."""
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 6, points)
    homes = rng.normal(size=(6, 3))[clusters] + rng.normal(size=(points, 3)) * 0.35
    starts = rng.normal(size=(points, 3))
    share = 1 - np.exp(-np.arange(epochs) / (epochs / 5))
    xyz = starts + (homes * 1.5 - starts) * share[:, None, None]
    xyz += rng.normal(size=xyz.shape) * 0.03
    return xyz / np.linalg.norm(xyz, axis=2)[..., None], clusters, 3 * (1 - share) + 1


def ours(xyz: np.ndarray, clusters: np.ndarray, losses: np.ndarray, fps: float, path: Path) -> int:
    movie = TrainingMovie(xyz, clusters=clusters, losses=losses, fps=fps, autoplay=False)
    count = []
    movie.save(path, size=SIZE, progress=lambda done, total: count.append(total))
    movie.close()
    return count[-1]


def peer(xyz: np.ndarray, clusters: np.ndarray, losses: np.ndarray, count: int, path: Path) -> None:
    from matplotlib import animation, pyplot

    mpl.rcParams["animation.ffmpeg_path"] = imageio_ffmpeg.get_ffmpeg_exe()
    figure = pyplot.figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100)
    sphere = figure.add_subplot(1, 2, 1, projection="3d")
    curve = figure.add_subplot(1, 2, 2)
    colors = np.array(CATEGORY_COLORS)[clusters]
    dots = sphere.scatter(*xyz[0].T, c=colors, s=12)
    curve.plot(losses)
    head = curve.axvline(0)
    times = np.linspace(0, len(xyz) - 1, count)

    def draw(picture: int):
        at = times[picture]
        low = min(int(at), len(xyz) - 2)
        now = xyz[low] + (xyz[low + 1] - xyz[low]) * (at - low)
        dots._offsets3d = tuple(now.T)
        head.set_xdata([at, at])
        return dots, head

    film = animation.FuncAnimation(figure, draw, frames=count, blit=False)
    options = ["-crf", "23", "-preset", "superfast"]
    film.save(path, writer=animation.FFMpegWriter(fps=RATE["mp4"], extra_args=options))
    pyplot.close(figure)


def films(points: int, epochs: int, fps: float, rounds: int) -> None:
    xyz, clusters, losses = training(points, epochs)
    times: dict[str, list[float]] = {"ours": [], "matplotlib": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            start = time.perf_counter()
            count = ours(xyz, clusters, losses, fps, Path(folder) / "ours.mp4")
            times["ours"].append(time.perf_counter() - start)
            start = time.perf_counter()
            peer(xyz, clusters, losses, count, Path(folder) / "theirs.mp4")
            times["matplotlib"].append(time.perf_counter() - start)
        sizes = {
            name: (Path(folder) / file).stat().st_size
            for name, file in (("ours", "ours.mp4"), ("matplotlib", "theirs.mp4"))
        }
    print(f"MP4 of {points:,} points, {epochs} epochs, {count} pictures of {SIZE[0]} x {SIZE[1]}:")
    for name, seconds in times.items():
        best = min(seconds)
        print(f"  {name:11} {best:6.1f} s  {1000 * best / count:6.1f} ms a picture, "
              f"{sizes[name] / 1e6:.1f} MB")  # fmt: skip
    print(f"  matplotlib takes {min(times['matplotlib']) / min(times['ours']):.1f} times as long\n")


def page(points: int, epochs: int) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.sphere_page import launched, opener

    xyz, clusters, losses = training(points, epochs)
    start = time.perf_counter()
    movie = TrainingMovie(xyz, clusters=clusters, losses=losses, autoplay=False)
    made = time.perf_counter() - start
    with sync_playwright() as playwright, launched(playwright) as browser, opener(browser) as open_:
        start = time.perf_counter()
        opened = open_(movie)
        loaded = "document.querySelector('.ftx-movie-scrubber').style.getPropertyValue('--here')"
        opened.page.wait_for_function(f"{loaded} === '100.00%'", timeout=120_000)
        whole = time.perf_counter() - start
        state = sum(len(getattr(movie, name)) for name in ("_first", "_codes", "_log"))
        sent = opened.kernel.sent_bytes
        total = len(bundle("movie").encode()) + state + sent
        asked = opened.page.evaluate("host.sent.length")
        took = opened.page.evaluate(
            """async (last) => {
              const bar = document.querySelector('.ftx-movie-scrubber');
              const start = performance.now();
              for (let i = 0; i <= 100; i++) {
                bar.value = String(((i * 37) % 101) / 100 * last);
                bar.dispatchEvent(new Event('input'));
                await new Promise(requestAnimationFrame);
              }
              return performance.now() - start;
            }""",
            epochs - 1,
        )
        scrubbed = opened.page.evaluate("host.sent.length") - asked
    print(f"Page, {points:,} points x {epochs} epochs: made in {made:.2f} s of kernel time")
    print(f"  bytes: {total / 1e6:.2f} MB (bundle, state with its first frame, all frames)")
    print(f"  all frames there {whole:.2f} s after the page opened")
    print(f"  scrubbing: {took / 101:.1f} ms a place, {scrubbed} questions to the kernel")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--fps", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    films(asked.points, asked.epochs, asked.fps, asked.rounds)
    page(asked.points, 2 * asked.epochs)


if __name__ == "__main__":
    main()
