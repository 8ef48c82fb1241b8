"""Figures of training: loss curves of one model, of several, and the space as it forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .base import (
    COLORS,
    DASHES,
    MARKERS,
    RATE,
    TRAIN,
    VALIDATION,
    FeatrixFigure,
    new_figure,
    note,
    shown,
    style,
)

Series = npt.NDArray[np.float64]
WAITING = "No epoch is finished yet.\nRun the cell again in a moment."
PARTS = {"joint_loss": "joint", "marginal_loss": "marginal", "spread_loss": "spread"}


@dataclass(frozen=True)
class Curves:
    """The history of one training, epoch by epoch; unknown values are NaN.

    ``sphere_from`` is the epoch from which only the 3D sphere is trained, on a space that stands;
    ``bits`` is the latest mutual information of each column with the rest of its row.
    """

    epochs: Series
    train: Series
    validation: Series
    rate: Series
    parts: dict[str, Series]
    best_epoch: float | None
    sphere_from: float | None
    bits: dict[str, float]

    @classmethod
    def of(cls, fm: Any) -> Curves:
        """Read a model's training metrics; fine while it trains."""
        data = fm.get_training_metrics().get("data") or {}
        epochs = _numbers(data.get("epochs"))
        phases = list(data.get("phase") or [])[: len(epochs)]
        standing = phases.index("sphere") if "sphere" in phases else len(epochs)

        def series(key: str) -> Series:
            values = _numbers(data.get(key))[: len(epochs)]
            return np.pad(values, (0, len(epochs) - len(values)), constant_values=np.nan)

        def losses(key: str) -> Series:
            values = series(key)
            values[standing:] = np.nan  # repeated by the server; the rate is another network's
            return values

        best = data.get("best_epoch")
        columns: dict[str, dict[str, Any]] = data.get("columns") or {}
        bits = {name: _numbers(of.get("mutual_information_bits")) for name, of in columns.items()}
        return cls(
            epochs=epochs,
            train=losses("train_loss"),
            validation=losses("val_loss"),
            rate=losses("learning_rate"),
            parts={key: losses(key) for key in PARTS if data.get(key)},
            best_epoch=None if best is None else float(best),
            sphere_from=float(epochs[standing]) if standing < len(epochs) else None,
            bits={name: float(b[-1]) for name, b in bits.items() if b.size and np.isfinite(b[-1])},
        )

    def best(self) -> tuple[float, float] | None:
        """Epoch and validation loss of the kept weights, if there are any yet."""
        at = np.flatnonzero(self.epochs == self.best_epoch)
        if self.best_epoch is None or not at.size or np.isnan(self.validation[at[0]]):
            return None
        return self.best_epoch, float(self.validation[at[0]])


def _numbers(values: Any) -> Series:
    return np.asarray([np.nan if v is None else v for v in values or []], dtype=np.float64)


def smoothed(values: Series) -> Series:
    """Exponential moving average over a twentieth of the run (at least 3 epochs); gaps stay."""
    span = max(3.0, len(values) / 20)
    series = pd.Series(values)
    averaged = series.ewm(span=span, ignore_na=True).mean().where(series.notna())
    return averaged.to_numpy(dtype=np.float64)


def training_loss(
    fm: Any, style_name: str, show_learning_rate: bool, smooth: bool, figsize: Sequence[float]
) -> FeatrixFigure:
    """See `NotebookHelper.training_loss`."""
    with style(style_name):
        curves = Curves.of(fm)
        figure = new_figure(figsize, style_name)
        axes = figure.add_subplot()
        _draw_losses(axes, curves, smooth)
        if show_learning_rate and np.isfinite(curves.rate).any():
            beside = axes.twinx()
            _draw_rate(beside, curves)
            beside.spines["right"].set_visible(True)
            beside.grid(visible=False)
            axes.set_zorder(beside.get_zorder() + 1)  # so that the legend covers the rate
            axes.patch.set_visible(False)
            handles, labels = axes.get_legend_handles_labels()
            more, names = beside.get_legend_handles_labels()
            axes.legend(handles + more, labels + names, loc="upper right")
        axes.set_title(f"Training of {shown(fm.name or fm.id, 60)}")
        figure.alt = f"Loss curves of {fm.name or fm.id}. {_in_words(curves)}"
        return figure


def _draw_losses(axes: Axes, curves: Curves, smooth: bool) -> None:
    axes.set(xlabel="epoch", ylabel="loss")
    if not len(curves.epochs):
        note(axes, WAITING)
        return
    for values, name, color, dash in (
        (curves.train, "training", TRAIN, (0, (4, 2))),
        (curves.validation, "validation", VALIDATION, "solid"),
    ):
        if not np.isfinite(values).any():
            continue
        if smooth:
            axes.plot(
                curves.epochs, values, ".-", color=color, alpha=0.25, linewidth=0.7, markersize=3
            )
        line = smoothed(values) if smooth else values
        # One epoch makes no line: a mark shows it.
        marker = "o" if len(values) == 1 else ""
        axes.plot(curves.epochs, line, color=color, linestyle=dash, marker=marker, label=name)
    if best := curves.best():
        epoch, loss = best
        axes.axvline(epoch, color=VALIDATION, linewidth=0.8, alpha=0.5)
        axes.plot(
            epoch,
            loss,
            marker="*",
            markersize=7 + 3 * mpl.rcParams["lines.linewidth"],
            color=VALIDATION,
            markeredgecolor="white",
            linestyle="",
            label=f"best: {loss:.4g} at epoch {epoch:.0f}",
        )
    if curves.sphere_from is not None:
        axes.axvspan(
            curves.sphere_from - 0.5,
            curves.epochs[-1],
            color="#5B5B5B",
            alpha=0.08,
            linewidth=0,
            label="laying out the sphere",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper right")


def _draw_rate(axes: Axes, curves: Curves) -> None:
    axes.set_ylabel("learning rate")
    axes.plot(
        curves.epochs,
        curves.rate,
        color=RATE,
        linestyle=(0, (1, 1.5)),
        linewidth=0.7 * mpl.rcParams["lines.linewidth"],
        marker="." if len(curves.epochs) == 1 else "",
        label="learning rate",
    )
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))


def _in_words(curves: Curves) -> str:
    known = curves.validation[np.isfinite(curves.validation)]
    if not known.size:
        return "No epoch is finished yet."
    text = f"Validation loss went from {known[0]:.4g} to {known[-1]:.4g} in {known.size} epochs"
    best = curves.best()
    return f"{text}; the best was {best[1]:.4g} at epoch {best[0]:.0f}." if best else f"{text}."


def training_comparison(
    models: Sequence[Any], labels: Sequence[str], figsize: Sequence[float]
) -> FeatrixFigure:
    """See `NotebookHelper.training_comparison`."""
    if not models:
        raise ValueError("Nothing to compare: give at least one model.")
    if len(models) != len(labels):
        raise ValueError(
            f"Each model needs one label, but there are {len(models)} models "
            f"and {len(labels)} labels."
        )
    with style("notebook"):
        figure = new_figure(figsize)
        axes = figure.add_subplot()
        axes.set(xlabel="epoch", ylabel="loss", title="Training compared")
        words = []
        for place, (model, label) in enumerate(zip(models, labels, strict=True)):
            curves = Curves.of(model)
            color = COLORS[place % len(COLORS)]
            marker, _, filled = MARKERS[place % len(MARKERS)]
            axes.plot(curves.epochs, curves.train, color=color, linewidth=0.9, alpha=0.4)
            axes.plot(
                curves.epochs,
                curves.validation,
                color=color,
                linestyle=DASHES[place % len(DASHES)],
                marker=marker,
                markersize=6,
                markerfacecolor=color if filled else "white",
                # Some marks a line, no two lines' at the same epochs.
                markevery=(0.03 + 0.02 * (place % 5), 0.13),
                label=shown(label),
            )
            if best := curves.best():
                axes.plot(*best, marker="*", color=color, markersize=11, markeredgecolor="white")
            words.append(f"{label}: {_in_words(curves)}")
        if all(line.get_xdata().size == 0 for line in axes.lines):  # type: ignore[union-attr]  # always an array here
            note(axes, WAITING)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(title="validation (faint: training; star: best)", loc="upper right")
        figure.alt = "Loss curves compared. " + " ".join(words)
        return figure


def embedding_space_training(fm: Any) -> FeatrixFigure:
    """See `NotebookHelper.embedding_space_training`."""
    from .embedding import draw_coverage

    with style("notebook"):
        curves = Curves.of(fm)
        figure = new_figure((13, 8))
        panels = figure.subplot_mosaic([["loss", "parts", "rate"], ["columns", "sphere", "sphere"]])
        _draw_losses(panels["loss"], curves, smooth=True)
        panels["loss"].set_title("Loss")
        _draw_parts(panels["parts"], curves)
        panels["rate"].set(title="Learning rate", xlabel="epoch")
        if len(curves.epochs):
            _draw_rate(panels["rate"], curves)
        else:
            note(panels["rate"], WAITING)
        _draw_information(panels["columns"], curves.bits or _bits_of_card(fm))
        covered = draw_coverage(panels["sphere"], fm)
        figure.suptitle(f"Embedding space of {shown(fm.name or fm.id, 60)}")
        figure.alt = f"Training of {fm.name or fm.id} in five panels. {_in_words(curves)} {covered}"
        return figure


def _draw_parts(axes: Axes, curves: Curves) -> None:
    axes.set(title="Parts of the training loss", xlabel="epoch", ylabel="loss")
    if not curves.parts or not len(curves.epochs):
        note(axes, WAITING if not len(curves.epochs) else "This server does not report the parts.")
        return
    for (key, values), color, dash in zip(curves.parts.items(), COLORS[2:], DASHES, strict=False):
        axes.plot(curves.epochs, values, color=color, linestyle=dash, label=PARTS[key])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _bits_of_card(fm: Any) -> dict[str, float]:
    """For servers whose training metrics do not tell the columns apart."""
    statistics = fm.get_model_card().get("column_statistics") if fm.status == "done" else None
    return {
        str(name): float(entry.get("mutual_information_bits") or 0.0)
        for name, entry in (statistics or {}).items()
    }


def _draw_information(axes: Axes, bits: dict[str, float], most: int = 15) -> None:
    """Bars of the mutual information between each column and the rest of its row."""
    axes.set(title="What a row tells about each column", xlabel="mutual information (bits)")
    if not bits:
        note(axes, WAITING)
        axes.set_yticks([])
        return
    best = sorted(bits.items(), key=lambda item: item[1], reverse=True)[:most]
    axes.barh(range(len(best)), [value for _, value in best], color=COLORS[0])
    axes.set_yticks(range(len(best)), [shown(name) for name, _ in best])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    if len(bits) > most:
        axes.set_ylabel(f"top {most} of {len(bits)} columns")
