"""The figure of a predictor: how its training went, and what its answers are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .base import (
    COLORS,
    DASHES,
    MARKERS,
    TRAIN,
    VALIDATION,
    FeatrixFigure,
    new_figure,
    note,
    shown,
    style,
)
from .training import WAITING

Series = npt.NDArray[np.float64]

NOT_YET = "There once the training is finished."
NOT_TOLD = "This server does not tell."
MOST_LABELS = 12
_CHANCE: dict[str, Any] = {"color": "#5B5B5B", "linestyle": (0, (1, 1.5)), "linewidth": 1.2}
_SCORES = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC"}


@dataclass(frozen=True)
class Training:
    """What a predictor's metrics say; series have one value an epoch, NaN where unknown.

    ``members`` says which epochs add a member to the network, instead of training it; ``kept`` are
    the epochs of the checkpoints, by the score each is best in.
    """

    epochs: Series
    train: Series
    validation: Series
    scores: dict[str, Series]
    members: np.ndarray
    kept: dict[str, int]
    final: dict[str, Any]
    threshold: float | None
    curves: dict[str, Any]
    waiting: str

    @classmethod
    def of(cls, predictor: Any) -> Training:
        """Read a predictor's metrics; fine while it trains."""
        told = predictor.get_metrics()
        told = told.get("training_metrics") or told  # the vendor's client gives the whole answer
        rows = [one for one in told.get("training_info") or () if one.get("epoch_idx") is not None]
        phases = [one.get("phase") for one in rows]

        def series(values: Sequence[Any]) -> Series:
            return np.array([np.nan if value is None else value for value in values], float)

        def score(name: str) -> Series:
            return series([(one.get("metrics") or {}).get(name) for one in rows])

        names = ("roc_auc", "pr_auc", "r2", "rmse", "mae")
        kept = {
            name: int(one["epoch"])
            for name, one in (told.get("checkpoints") or {}).items()
            if one.get("epoch")
        }
        threshold = told.get("threshold") or {}
        finished = bool(told.get("final_metrics"))
        return cls(
            epochs=series([one["epoch_idx"] + 1 for one in rows]),
            train=series([one.get("loss") for one in rows]),
            validation=series([one.get("validation_loss") for one in rows]),
            scores={name: score(name) for name in names},
            members=np.array([phase == "ensemble" for phase in phases], bool),
            kept=kept,
            final=told.get("final_metrics") or {},
            threshold=threshold.get("value") if isinstance(threshold, dict) else None,
            curves=told.get("curves") or {},
            waiting=NOT_TOLD if finished else NOT_YET,
        )


def single_predictor_training(predictor: Any) -> FeatrixFigure:
    """See `NotebookHelper.single_predictor_training`."""
    training = Training.of(predictor)
    numbers = predictor.target_type in ("numeric", "scalar")
    with style("notebook"):
        figure = new_figure((15, 9))
        panels = figure.subplots(2, 3).ravel()
        _draw_losses(panels[0], training, numbers)
        if numbers:
            _number_panels(panels[1:], training, predictor.target_column)
        else:
            _class_panels(panels[1:], training, predictor.target_column)
        rows = training.curves.get("rows")
        place = f"; scores on {rows:,} validation rows" if rows else ""
        named = shown(predictor.name or predictor.id, 50)
        about = "" if predictor.name == predictor.target_column else f" ({named})"
        figure.suptitle(f"Predictor of {shown(predictor.target_column, 50)}{about}{place}")
        figure.alt = _in_words(predictor, training, numbers)
        return figure


# ------------------------------------------------------------------ by epoch


def _draw_losses(axes: Axes, training: Training, numbers: bool) -> None:
    unit = "squared error (variance = 1)" if numbers else "log-loss (nats)"
    axes.set(title="Loss", xlabel="epoch", ylabel=unit)
    if not len(training.epochs):
        note(axes, WAITING)
        return
    _line(axes, training, training.train, TRAIN, (0, (4, 2)), "training")
    _line(axes, training, training.validation, VALIDATION, "solid", "validation")
    _mark_kept(axes, training, training.validation, VALIDATION)
    _finish_epochs(axes, training)


def _draw_scores(axes: Axes, training: Training, names: dict[str, str]) -> None:
    """Scores on validation rows by epoch, each with the epoch that was kept for it."""
    if not len(training.epochs):
        note(axes, WAITING)
        return
    for place, (name, label) in enumerate(names.items()):
        color, dash = COLORS[2 + place], DASHES[place]
        _line(axes, training, training.scores[name], color, dash, label, MARKERS[place + 1][0])
        if name in training.kept:
            _mark_kept(axes, training, training.scores[name], color, only=name)
    _finish_epochs(axes, training)


def _line(
    axes: Axes,
    training: Training,
    values: Series,
    color: str,
    dash: Any,
    label: str,
    shape: str = "D",
) -> None:
    """The network's epochs as a line; each member that is added, as a mark."""
    if not np.isfinite(values).any():
        return
    at, members = training.epochs, training.members
    network = int((~members).sum())
    if network:
        marker = "o" if network == 1 else ""  # one epoch makes no line
        line = np.where(members, np.nan, values)
        axes.plot(at, line, color=color, linestyle=dash, marker=marker, label=label)
    if np.isfinite(values[members]).any():
        axes.plot(
            *(at[members], values[members]),
            color=color, linestyle="", marker=shape, markersize=6, markeredgecolor="white",
            label="" if network else label,
        )  # fmt: skip


def _mark_kept(
    axes: Axes, training: Training, values: Series, color: str, only: str | None = None
) -> None:
    """A star at the epochs of the checkpoints (or of one of them)."""
    for epoch in sorted({at for name, at in training.kept.items() if only in (None, name)}):
        found = np.flatnonzero(training.epochs == epoch)
        if found.size and np.isfinite(values[found[0]]):
            axes.plot(
                *(epoch, values[found[0]]),
                marker="*", markersize=15, color=color, markeredgecolor="black", linestyle="",
                label=f"kept: {values[found[0]]:.4g} at epoch {epoch}",
                zorder=5,
            )  # fmt: skip


def _finish_epochs(axes: Axes, training: Training) -> None:
    members = training.epochs[training.members]
    if len(members) == len(training.epochs):
        axes.set_xlabel("members averaged")
    elif len(members):
        axes.axvspan(
            members[0] - 0.5,
            members[-1] + 0.5,
            color="#5B5B5B",
            alpha=0.1,
            linewidth=0,
            label="one more member each",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")


# ------------------------------------------------------------------- classes


def _class_panels(panels: Sequence[Axes], training: Training, target: str) -> None:
    panels[0].set(title="Ranking by epoch", xlabel="epoch", ylabel="area under the curve")
    _draw_scores(panels[0], training, _SCORES)
    thresholds, classes = training.curves.get("thresholds"), training.curves.get("classes")
    if classes and not thresholds:
        _draw_confusion(panels[1], training, target)
    else:
        _draw_cost(panels[1], training, thresholds)
    _draw_roc(panels[2], training, classes or ())
    _draw_pr(panels[3], training, classes or ())
    _draw_calibration(panels[4], training, binary=bool(thresholds))


def _draw_cost(axes: Axes, training: Training, told: dict[str, Any] | None) -> None:
    axes.set(title="Cost by threshold", xlabel="threshold on the probability")
    if not told:
        note(axes, training.waiting)
        return
    false_positive, false_negative = told["cost_false_positive"], told["cost_false_negative"]
    if false_positive == false_negative == 1:
        axes.plot(told["threshold"], told["f1"], color=COLORS[2], linestyle=DASHES[1], label="F1")
        axes.plot(told["threshold"], told["cost"], color=COLORS[0], label="share of errors")
        axes.set(title="F1 and errors by threshold", ylabel="share, F1")
    else:
        axes.plot(told["threshold"], told["cost"], color=COLORS[0], label="cost a row")
        costs = f"false positive {false_positive:g}, false negative {false_negative:g}"
        axes.set_ylabel(f"cost a row\n({costs})")
    if training.threshold is not None:
        label = f"threshold in use: {training.threshold:.3g}"
        axes.axvline(training.threshold, color="black", linestyle="dashed", lw=1.4, label=label)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")


def _draw_confusion(axes: Axes, training: Training, target: str) -> None:
    """Which classes are taken for which, as shares of each true class."""
    counts = np.array(training.final.get("confusion_matrix") or [[]], float)
    axes.set(title="Which class is taken for which", xlabel=f"predicted {shown(target)}")
    axes.set_ylabel(f"true {shown(target)}")
    if not counts.size:
        note(axes, training.waiting)
        return
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.grid(visible=False)
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    axes.figure.colorbar(image, ax=axes, label="share of the true class")
    labels = [one["label"] for one in training.curves["classes"]]
    if len(counts) <= MOST_LABELS:
        for i, j in np.ndindex(*counts.shape):
            color = "black" if shares[i, j] > 0.6 else "white"
            axes.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", color=color)
    if len(labels) == len(counts):
        names = [shown(label, 12) for label in labels]
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
        axes.set_yticks(range(len(names)), names)
    else:
        axes.set_xlabel(f"predicted {shown(target)}, by frequency")


def _draw_roc(axes: Axes, training: Training, classes: Sequence[dict[str, Any]]) -> None:
    axes.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate")
    if classes:
        axes.plot([0, 1], [0, 1], **_CHANCE, label="chance")
    for place, one in enumerate(classes):
        look, label = _look(place), shown(one["label"], 16)
        axes.plot(one["false_positive_rate"], one["true_positive_rate"], label=label, **look)
    _finish_curves(axes, training, classes, "roc_auc", "lower right")


def _draw_pr(axes: Axes, training: Training, classes: Sequence[dict[str, Any]]) -> None:
    axes.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    for place, one in enumerate(classes):
        look, label = _look(place), shown(one["label"], 16)
        axes.plot(one["recall"], one["precision"], label=label, **look)
    if len(classes) == 1:
        axes.axhline(classes[0]["share"], **_CHANCE, label="chance")
    _finish_curves(axes, training, classes, "pr_auc", "lower left")


def _look(place: int) -> dict[str, Any]:
    return {"color": COLORS[place % len(COLORS)], "linestyle": DASHES[place % len(DASHES)]}


def _finish_curves(
    axes: Axes, training: Training, classes: Sequence[Any], name: str, corner: Any
) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    if not classes:
        note(axes, training.waiting)
        return
    area = training.final.get(name)
    mean = ", mean of all classes" if "thresholds" not in training.curves else ""
    title = None if area is None else f"area {area:.3f}{mean}"
    axes.legend(title=title, loc=corner, fontsize="small", title_fontsize="small")


def _draw_calibration(axes: Axes, training: Training, binary: bool) -> None:
    axes.set(title="Calibration", xlabel="predicted probability")
    axes.set(ylabel="share that was so", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    told = training.curves.get("calibration")
    if not told:
        note(axes, training.waiting)
        return
    axes.set_xlabel(f"predicted probability of the {'positive' if binary else 'predicted'} class")
    axes.plot([0, 1], [0, 1], **_CHANCE, label="perfect")
    chance, share, rows = (np.array(told[key], float) for key in ("chance", "share", "rows"))
    # Two standard errors of a share; of a bin without a miss the rule of three (3 / n) speaks.
    error = np.maximum(
        2 * np.sqrt(share * (1 - share) / rows), 3 / rows * (share * (1 - share) == 0)
    )
    low, high = np.maximum(share - error, 0), np.minimum(share + error, 1)
    axes.errorbar(
        chance,
        share,
        yerr=[share - low, high - share],
        color=COLORS[0],
        marker=MARKERS[0][0],
        markersize=5,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=2,
        label=f"{len(rows)} bins, two standard errors",
    )
    axes.legend(loc="upper left", fontsize="small")


# ------------------------------------------------------------------- numbers


def _number_panels(panels: Sequence[Axes], training: Training, target: str) -> None:
    name = shown(target)
    panels[0].set(title="Share of the variance explained", xlabel="epoch", ylabel="R²")
    _draw_scores(panels[0], training, {"r2": "R²"})
    panels[1].set(title="Error by epoch", xlabel="epoch", ylabel=f"error (units of {name})")
    _draw_scores(panels[1], training, {"rmse": "root mean square", "mae": "mean absolute"})
    panels[2].set(title="Predicted and actual", xlabel=f"predicted {name}", ylabel=f"actual {name}")
    panels[3].set(title="Errors", xlabel=f"predicted {name}", ylabel=f"actual − predicted {name}")
    panels[4].set(title="Spread of the errors", ylabel="rows")
    panels[4].set_xlabel(f"actual − predicted {name}")
    told = training.curves.get("numbers")
    if not told:
        for axes in panels[2:]:
            note(axes, training.waiting)
        return
    predicted, actual, low, high = (
        np.array(told[key], float) for key in ("predicted", "actual", "low", "high")
    )
    order = np.argsort(predicted)
    inside = (actual >= low) & (actual <= high)
    ends = [min(predicted.min(), actual.min()), max(predicted.max(), actual.max())]
    panels[2].plot(ends, ends, **_CHANCE, label="perfect")
    band: dict[str, Any] = {
        "color": COLORS[0],
        "alpha": 0.15,
        "linewidth": 0,
        "label": "90 % interval",
    }
    panels[2].fill_between(predicted[order], low[order], high[order], **band)
    panels[3].fill_between(
        predicted[order], (low - predicted)[order], (high - predicted)[order], **band
    )
    panels[3].axhline(0, **_CHANCE)
    for axes, heights in ((panels[2], actual), (panels[3], actual - predicted)):
        for which, color, marker, label in (
            (inside, COLORS[0], ".", f"within: {inside.mean():.0%}"),
            (~inside, COLORS[1], "x", f"outside: {(~inside).mean():.0%}"),
        ):
            axes.plot(
                *(predicted[which], heights[which]),
                color=color, linestyle="", marker=marker, markersize=5, alpha=0.7, label=label,
            )  # fmt: skip
        axes.legend(fontsize="small")
    panels[4].set_ylabel(f"rows (of {len(actual):,} drawn)")
    panels[4].hist(actual - predicted, bins=30, color=COLORS[0], edgecolor="white", linewidth=0.4)
    panels[4].axvline(0, **_CHANCE)


# --------------------------------------------------------------------- words


def _in_words(predictor: Any, training: Training, numbers: bool) -> str:
    words = f"Training of a predictor of {predictor.target_column} in six panels. "
    known = training.validation[np.isfinite(training.validation)]
    if not known.size:
        return words + "No epoch is finished yet."
    words += f"Validation loss went from {known[0]:.4g} to {known[-1]:.4g} in {known.size} epochs."
    names = {"r2": "R²", "rmse": "root mean square error"} if numbers else _SCORES
    scores = [
        f"{label} {training.final[name]:.4g}"
        for name, label in names.items()
        if training.final.get(name) is not None
    ]
    return words + (f" In the end {', '.join(scores)} on validation rows." if scores else "")
