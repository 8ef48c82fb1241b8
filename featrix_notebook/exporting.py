"""Models, widgets and figures as one file each, by what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PICTURES = (".png", ".svg", ".pdf")
FILMS = (".html", ".mp4", ".gif")


def export(value: Any, path: str | Path | None = None, called: str = "") -> Path:
    """Write one file that shows something without a kernel.

    Parameters
    ----------
    value
        A widget (as an interactive page; a movie also as ``.mp4`` or ``.gif``), a plotly figure
        (page), a matplotlib figure (``.png``, ``.svg`` or ``.pdf``), or a model (its report as a
        page).
    path
        The file, whose ending says the kind; by default one in the working directory that is not
        there yet.
    called
        What to call that file.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    ValueError
        For a kind of file that this cannot be written as, or a folder that is not there.
    """
    kinds = _kinds(value)
    if path is None:
        from featrix_notebook.movie.writers import free_name

        file = free_name(Path.cwd(), called or type(value).__name__, kinds[0])
    else:
        file = Path(path).expanduser()
    if file.suffix.lower() not in kinds:
        raise ValueError(f"This is written as {' or '.join(kinds)}, not as {file.suffix!r}.")
    if not file.parent.is_dir():
        raise ValueError(f"There is no folder {str(file.parent)!r}.")
    if hasattr(value, "get_projections"):
        from featrix_notebook import export_report

        export_report(value, file)
    elif kinds == PICTURES:
        value.savefig(file)
    elif kinds == FILMS:
        value.save(file)
    elif hasattr(value, "write_html"):
        value.write_html(file, include_plotlyjs=True)
    else:
        value.to_html(file)
    return file


def _kinds(value: Any) -> tuple[str, ...]:
    """The endings that a value's file may have, the usual one first."""
    if hasattr(value, "savefig"):
        return PICTURES
    from featrix_notebook.widgets.movie import TrainingMovie

    if isinstance(value, TrainingMovie):
        return FILMS
    return (".html",)
