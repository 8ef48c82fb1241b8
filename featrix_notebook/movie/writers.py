"""Films in files: MP4 and GIF through the ffmpeg that imageio brings along, PNG pictures, a page.

Nothing half-written stays: a film is made under another name and moved into place when it is whole.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
from PIL import Image

from featrix_notebook.movie.film import Film

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie

RATE = {"mp4": 30, "gif": 15}
"""Pictures a second."""
GIF_SIZE = (800, 450)

Told = Callable[[int, int], object]
"""Called with pictures done and in all; False cancels."""


class CancelledError(Exception):
    """The one who watched an export did not want it any more."""

    def __init__(self) -> None:
        super().__init__("The export was cancelled.")


def save(
    widget: TrainingMovie, path: Path, options: Mapping[str, Any], progress: bool | Told
) -> Path:
    """Write a film; see `TrainingMovie.save`."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("mp4", "gif", "html", ""):
        raise ValueError(
            f"A movie is saved as .mp4, .gif or .html, or into a folder of PNG pictures; not as "
            f"{path.suffix!r}."
        )
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {str(path.parent)!r}.")
    if path.is_dir() and (kind or any(path.iterdir())):
        raise ValueError(f"There is a folder {str(path)!r} already, and it is not empty.")
    if kind == "html":
        widget.to_html(path)
        return path
    if kind == "gif" and options.get("size") == (1280, 720):
        options = {**options, "size": GIF_SIZE}
    film = widget._film(**options)
    with _watched(progress) as told, tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / (f"movie.{kind}" if kind else "pictures")
        if kind:
            _encode(film, made, kind, told)
        else:
            made.mkdir()
            for name, picture in _stills(film, told):
                iio.imwrite(made / name, picture)
        if path.is_dir():
            path.rmdir()  # it is empty
        made.replace(path)
    return path


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """A file in a folder that is not there yet, named after data: no path, nothing hidden."""
    plain = re.sub(r"[^\w-]+", "-", stem).strip("-")[:80] or "movie"
    path, number = folder / f"{plain}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{plain}-{number}{suffix}"
    return path


def to_bytes(
    widget: TrainingMovie, kind: str, options: Mapping[str, Any], told: Told, epoch: int = 0
) -> bytes:
    """A film as the bytes of a file, for a page to offer.

    Parameters
    ----------
    widget
        The movie.
    kind
        ``mp4``, ``gif``, ``html``, ``zip`` (of PNG pictures) or ``png`` (of one epoch).
    options
        As of `Film`.
    told
        See `Told`.
    epoch
        Which one becomes a single picture.

    Raises
    ------
    ValueError
        For another kind.
    CancelledError
        When `told` returned False.
    """
    if kind == "html":
        return widget.to_html().encode()
    if kind not in ("mp4", "gif", "zip", "png"):
        raise ValueError(f"A movie cannot be saved as {kind!r}.")
    film = widget._film(**{**options, "size": GIF_SIZE} if kind == "gif" else options)
    if kind == "png":
        out = io.BytesIO()
        place = int(np.searchsorted(film.epochs, epoch))
        Image.fromarray(film.at(min(place, len(film.epochs) - 1))).save(out, "PNG")
        return out.getvalue()
    if kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, picture in _stills(film, told):
                archive.writestr(name, iio.imwrite("<bytes>", picture, extension=".png"))
        return out.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"movie.{kind}"
        _encode(film, path, kind, told)
        return path.read_bytes()


def _stills(film: Film, told: Told) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """File name and picture of every frame."""
    digits = max(4, len(str(film.epochs[-1])))
    for place, epoch in enumerate(film.epochs):
        yield f"epoch-{epoch:0{digits}d}.png", film.at(float(place))
        _tell(told, place + 1, len(film.epochs))


def _encode(film: Film, path: Path, kind: str, told: Told) -> None:
    rate = RATE[kind]
    size = (film.width, film.height)
    with tempfile.TemporaryDirectory() as folder:
        encoder = imageio_ffmpeg.write_frames(
            str(path), size, fps=rate, quality=None, macro_block_size=2,
            **(_gif(film, Path(folder)) if kind == "gif" else _MP4),
        )  # fmt: skip
        encoder.send(None)
        try:
            count = len(film.times(rate))
            for done, picture in enumerate(film.pictures(rate), start=1):
                encoder.send(picture)
                _tell(told, done, count)
        finally:
            encoder.close()  # waits until the file is written


# Every player shows 4:2:0, and a page may begin to play what is still being loaded.
_MP4: dict[str, Any] = {
    "codec": "libx264",
    "pix_fmt_out": "yuv420p",
    "output_params": ["-crf", "23", "-preset", "superfast", "-movflags", "+faststart"],
}


def _gif(film: Film, folder: Path) -> dict[str, Any]:
    """Options of a GIF whose one palette is made of a few pictures of the film."""
    colors = np.frombuffer(bytes(film.palette().getpalette() or ()), np.uint8)
    path = folder / "palette.png"
    Image.fromarray(colors.reshape(16, 16, 3)).save(path)
    source = path.as_posix().replace("\\", "/").replace(":", "\\:").replace("'", "'\\\\\\''")
    graph = f"movie='{source}'[p];[0:v][p]paletteuse=dither=none:diff_mode=rectangle"
    return {
        "codec": "gif",
        "pix_fmt_out": "pal8",
        "output_params": ["-lavfi", graph, "-loop", "0"],
    }


def _tell(told: Told, done: int, total: int) -> None:
    if told(done, total) is False:
        raise CancelledError


@contextmanager
def _watched(progress: bool | Told) -> Iterator[Told]:
    if callable(progress):
        yield progress
        return
    if not progress:
        yield lambda done, total: None
        return
    from tqdm.auto import tqdm

    with tqdm(unit="picture", desc="Movie") as bar:

        def told(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield told
