"""What the page of a movie is told beside its bytes: a small JSON object, and words.

`js/src/movie/store.ts` is the other end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featrix_notebook import coding
from featrix_notebook.movie.losses import Losses
from featrix_notebook.widgets import sphere_colors

if TYPE_CHECKING:
    from featrix_notebook.widgets.movie import TrainingMovie

FRAME_CLUSTERS = "epoch_cluster"


def describe(movie: TrainingMovie) -> dict[str, Any]:
    """All that is small."""
    choices, points, losses = movie.choices(), movie._points, movie._losses
    current = [i for i, choice in enumerate(choices) if choice.key == movie._color_by]
    per_frame = movie._color_by == FRAME_CLUSTERS
    label = "clusters of each epoch" if per_frame else None
    return {
        **movie._options,
        "n": len(points),
        "epochs": movie.epochs,
        "title": points.title,
        "notes": list(points.notes),
        "summary": movie.summary(),
        "live": movie._live,
        "publish": movie._is_model,
        "saves": True,
        "log": list(losses.names),
        "best": losses.best_epoch,
        "sphereFrom": losses.sphere_from,
        "choices": [{"label": c.label, "group": c.group} for c in choices],
        "color": {
            "choice": current[0] if current else None,
            "label": label or sphere_colors.label(points, movie._color_by),
            "perFrame": per_frame and movie._coding.kind == "category",
            **movie._coding.legend(),
        },
    }


def in_words(movie: TrainingMovie) -> str:
    """What the movie shows, for a reader who does not see it."""
    n, epochs = len(movie._points), movie.epochs
    name = f" of {movie._points.title}" if movie._points.title else ""
    if not epochs:
        return f"Training movie{name}: the first epoch is not there yet"
    span = f"epoch {epochs[0]}"
    if len(epochs) > 1:
        span = f"{len(epochs):,} epochs, {epochs[0]} to {epochs[-1]}"
    head = f"Training movie{name}: {n:,} {'row' if n == 1 else 'rows'} on a sphere, {span}"
    if movie._color_by is not None:
        head += f", coloured by {coding.text(movie._color_by)}"
    losses = [_curve_in_words(movie._losses, name) for name in movie._losses.names[1:]]
    return ". ".join([", ".join([head, *filter(None, losses)]), *movie._points.notes])


def _curve_in_words(losses: Losses, name: str) -> str:
    values = losses.series(name)[1]
    words = name.replace("_", " ")
    return f"{words} from {values[0]:.4g} to {values[-1]:.4g}" if len(values) else ""
