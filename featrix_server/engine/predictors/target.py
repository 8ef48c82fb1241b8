"""The labels of a predictor: where they come from, what they are, and what forbids them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from ..columns.values import factorise, text_of, to_floats
from ..schema import Schema
from ..table import Table
from .options import PredictorError, PredictorOptions, is_positive

ROW_ID = "__featrix_row_id"
NUMERIC_SHARE = 0.9
MIN_CLASS_ROWS, FEW_CLASS_ROWS = 2, 10
MIN_ROWS, FEW_ROWS = 10, 100
MAX_CLASSES = 1_000

Kind = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class TargetSummary:
    """What a target turned out to be.

    Attributes
    ----------
    kind
        ``"binary"``, ``"multiclass"`` or ``"regression"``.
    classes, counts
        Labels as text with their rows; binary: negative, positive; else by falling count. Empty
        for regression.
    labelled
        Rows with a label.
    warnings
        ``{"type", "severity", "message", "columns"}`` each.
    """

    kind: Kind
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    labelled: int
    warnings: tuple[dict[str, Any], ...] = ()

    @property
    def positive(self) -> str | None:
        """The positive class of a binary target."""
        return self.classes[1] if self.kind == "binary" else None


@dataclass(frozen=True)
class Target:
    """The labelled rows.

    Attributes
    ----------
    summary
        What the labels are.
    source
        The table whose rows are trained on: the space's own, or one with labels.
    rows : int64 (n,)
        Labelled rows of ``source``, rising.
    values : float64 (n,)
        Class ids or numbers.
    originals
        Each class in the type its column has.
    """

    summary: TargetSummary
    source: Table
    rows: np.ndarray
    values: np.ndarray
    originals: tuple[Any, ...] = field(default=())


def check_target(
    table: Table, schema: Schema, options: PredictorOptions, labels: Table | None = None
) -> TargetSummary:
    """Say quickly whether a predictor can be trained, and what it will be.

    Parameters
    ----------
    table, schema
        The table of the embedding space, and its columns.
    options
        What is asked for.
    labels
        A table of labels: with columns of the model (each of its rows is trained on), with
        ``__featrix_row_id`` (joined), or only the target (by position).

    Raises
    ------
    PredictorError
        If it cannot be; with what to do.
    """
    return read_target(table, schema, options, labels).summary


def read_target(
    table: Table, schema: Schema, options: PredictorOptions, labels: Table | None = None
) -> Target:
    """Read the labelled rows; parameters and errors as :func:`check_target`."""
    if not [spec for spec in schema.columns if spec.name != options.target_column]:
        raise PredictorError(
            "the model has no column besides the target", code="no_features", field="target_column"
        )
    source, rows, values, notes = _find_labels(table, schema, options.target_column, labels)
    read = _read_numbers if options.target_type == "scalar" else _read_classes
    summary, ids, originals = read(options, values)
    known = ~np.isnan(ids)
    rows, ids = rows[known], ids[known]
    order = np.argsort(rows, kind="stable")
    notes += _row_warnings(summary.labelled)
    summary = TargetSummary(
        summary.kind, summary.classes, summary.counts, summary.labelled,
        (*summary.warnings, *notes),
    )  # fmt: skip
    return Target(summary, source, rows[order], ids[order], originals)


# -- where labels come from ----------------------------------------------------------------


def _find_labels(
    table: Table, schema: Schema, name: str, labels: Table | None
) -> tuple[Table, np.ndarray, pa.ChunkedArray, list[dict[str, Any]]]:
    """Table to train on, row numbers in it, their labels, warnings."""
    place = table if labels is None else labels
    if name not in place.columns:
        raise _unknown_target(name, place, "labels" if labels is not None else "model's")
    if labels is None:
        return table, np.arange(table.n_rows), table.column(name), []
    model = [spec.name for spec in schema.columns if spec.name != name]
    shared = [column for column in model if column in labels.columns]
    values = labels.column(name)
    if shared:
        absent = [column for column in model if column not in shared]
        notes = []
        if absent:
            text = f"the labels table lacks {len(absent)} of the model's {len(model)} columns"
            notes.append(warning("LABEL_COLUMNS_MISSING", "MODERATE", text, absent))
        return labels, np.arange(labels.n_rows), values, notes
    if ROW_ID in labels.columns:
        return table, _joined_rows(table, labels), values, []
    if labels.columns == (name,) and labels.n_rows == table.n_rows:
        return table, np.arange(table.n_rows), values, []
    raise PredictorError(
        f"the labels table ({labels.n_rows} rows, columns {_listed(labels.columns)}) does not "
        f"match the model's table ({table.n_rows} rows)",
        code="labels_do_not_match",
        hint="Give it columns of the model (each row is then trained on), or a column "
        f"{ROW_ID}, or the target alone for every row of the model in order",
        field="labels",
    )


def _joined_rows(table: Table, labels: Table) -> np.ndarray:
    ids = to_floats(labels.column(ROW_ID))
    good = (ids >= 0) & (ids < table.n_rows) & (ids == np.floor(ids))
    if not good.all():
        first = labels.column(ROW_ID)[int(np.argmin(good))].as_py()
        raise PredictorError(
            f"{int((~good).sum())} of {len(ids)} values of {ROW_ID} are no rows of the model's "
            f"table (the first: {first!r})",
            code="labels_do_not_match",
            hint=f"Row ids are whole numbers from 0 to {table.n_rows - 1}",
            field="labels",
        )
    rows = ids.astype(np.int64)
    if len(np.unique(rows)) < len(rows):
        again = int(np.flatnonzero(np.bincount(rows) > 1)[0])
        raise PredictorError(
            f"row {again} of the model's table has more than one label",
            code="labels_not_unique",
            hint=f"Keep one row for each {ROW_ID}",
            field="labels",
        )
    return rows


def _unknown_target(name: str, place: Table, whose: str) -> PredictorError:
    near = difflib.get_close_matches(name, place.columns, n=1)
    return PredictorError(
        f"the {whose} table has no column {name!r}",
        code="unknown_target",
        hint=(f"Did you mean {near[0]!r}? " if near else "")
        + f"Its columns are {_listed(place.columns)}",
        field="target_column",
    )


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"


# -- what labels are -----------------------------------------------------------------------


def _read_numbers(
    options: PredictorOptions, values: pa.ChunkedArray
) -> tuple[TargetSummary, np.ndarray, tuple[Any, ...]]:
    name = options.target_column
    for argument in ("rare_label_value", "class_imbalance"):
        if getattr(options, argument) is not None:
            raise _not_for(argument, "classes, not for numbers")
    if options.costs is not None:
        raise _not_for("cost_false_positive", "two classes, not for numbers")
    present = sum(text_of(value) is not None for value in values.to_pylist())
    numbers = to_floats(values)
    known = ~np.isnan(numbers)
    if known.sum() < NUMERIC_SHARE * present:
        example = next(
            value
            for value, number in zip(values.to_pylist(), numbers, strict=True)
            if np.isnan(number) and text_of(value) is not None
        )
        raise PredictorError(
            f"only {known.sum()} of {present} values of {name!r} are numbers "
            f"(not {str(example)[:40]!r})",
            code="target_not_numeric",
            hint="Clean the column, or train a classifier",
            field="target_column",
        )
    notes = []
    if lost := int(present - known.sum()):
        text = f"{lost} values of {name!r} are no numbers and count as unlabelled"
        notes.append(warning("UNPARSEABLE_TARGET", "MODERATE", text, [name]))
    _check_enough(name, int(known.sum()))
    if np.ptp(numbers[known]) == 0:
        raise _constant(name, f"{numbers[known][0]:g}")
    return TargetSummary("regression", (), (), int(known.sum()), tuple(notes)), numbers, ()


def _read_classes(
    options: PredictorOptions, values: pa.ChunkedArray
) -> tuple[TargetSummary, np.ndarray, tuple[Any, ...]]:
    name = options.target_column
    labels, codes = factorise(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    _check_enough(name, int(counts.sum()))
    if len(labels) == 1:
        raise _constant(name, repr(labels[0]))
    if len(labels) > MAX_CLASSES:
        raise PredictorError(
            f"{name!r} has {len(labels):,} classes; at most {MAX_CLASSES:,} are possible",
            code="too_many_classes",
            hint="Train a regressor if it is a number, or group the classes",
            field="target_column",
        )
    rare = [label for label, count in zip(labels, counts, strict=True) if count < MIN_CLASS_ROWS]
    if rare:
        raise PredictorError(
            f"{len(rare)} of {len(labels)} classes of {name!r} have a single row "
            f"({', '.join(map(repr, rare[:5]))})",
            code="class_too_small",
            hint="Every class needs at least 2 labelled rows, better 10: leave these rows "
            "unlabelled, or merge the classes",
            field="target_column",
        )
    order = sorted(range(len(labels)), key=lambda i: (-counts[i], labels[i]))
    kind: Kind = "binary" if len(labels) == 2 else "multiclass"
    if kind == "binary":
        order = _negative_positive(options, labels, counts)
    _check_wishes(options, kind, labels)
    place = np.empty(len(labels) + 1)
    place[order] = np.arange(len(labels))
    place[-1] = np.nan
    classes = tuple(labels[i] for i in order)
    few = [labels[i] for i in order if counts[i] < FEW_CLASS_ROWS]
    notes = []
    if few:
        text = f"fewer than {FEW_CLASS_ROWS} labelled rows: {', '.join(few[:10])}"
        notes.append(warning("CLASS_TOO_SMALL", "HIGH", text, [name]))
    summary = TargetSummary(
        kind, classes, tuple(int(counts[i]) for i in order), int(counts.sum()), tuple(notes)
    )
    return summary, place[codes], tuple(_original(text, values.type) for text in classes)


def _negative_positive(options: PredictorOptions, labels: list[str], counts: Any) -> list[int]:
    wanted = options.rare_label_value
    if wanted is None:
        positive = min((0, 1), key=lambda i: (counts[i], labels[i]))
    else:
        text = text_of(wanted) or ""
        if isinstance(wanted, bool) or set(labels) <= {"true", "false"}:
            text = text.lower()
        if text not in labels:
            raise PredictorError(
                f"rare_label_value {wanted!r} is no class of {options.target_column!r}",
                code="unknown_label",
                hint=f"The classes are {labels[0]!r} and {labels[1]!r}",
                field="rare_label_value",
            )
        positive = labels.index(text)
    return [1 - positive, positive]


def _check_wishes(options: PredictorOptions, kind: Kind, labels: list[str]) -> None:
    if kind != "binary":
        if options.rare_label_value is not None:
            raise _not_for("rare_label_value", f"two classes, but there are {len(labels)}")
        if options.costs is not None:
            raise _not_for("cost_false_positive", f"two classes, but there are {len(labels)}")
    if options.class_imbalance is None:
        return
    shares = {text_of(label): share for label, share in options.class_imbalance.items()}
    missing = [label for label in labels if label not in shares]
    unknown = [str(label) for label in shares if label not in labels]
    if missing or unknown:
        which = f"lacks {missing[:5]}" if missing else f"names {unknown[:5]}, which are no classes"
        raise PredictorError(
            f"class_imbalance {which}",
            code="class_imbalance_mismatch",
            hint=f"Give a share for each of the classes {_listed(tuple(labels))} and no other",
            field="class_imbalance",
        )
    bad = {label: share for label, share in shares.items() if not is_positive(share)}
    if bad:
        raise PredictorError(
            f"class_imbalance has {bad}",
            code="bad_share",
            hint="Shares must be finite and greater than 0",
            field="class_imbalance",
        )


def _original(text: str, kind: pa.DataType) -> Any:
    """A label in the type of its column."""
    if pa.types.is_boolean(kind):
        return text == "true"
    if pa.types.is_integer(kind):
        return int(text)
    return float(text) if pa.types.is_floating(kind) else text


def _check_enough(name: str, count: int) -> None:
    if count < MIN_ROWS:
        raise PredictorError(
            f"{name!r} has {count} labelled rows; at least {MIN_ROWS} are needed",
            code="too_few_labels",
            hint="Label more rows; 100 are a sensible minimum",
            field="target_column",
        )


def _row_warnings(labelled: int) -> list[dict[str, Any]]:
    if labelled >= FEW_ROWS:
        return []
    return [warning("FEW_LABELS", "HIGH", f"only {labelled} labelled rows", [])]


def _constant(name: str, value: str) -> PredictorError:
    return PredictorError(
        f"all labels of {name!r} are {value}",
        code="constant_target",
        hint="There is nothing to predict; check the column, or label rows of another class",
        field="target_column",
    )


def _not_for(argument: str, what: str) -> PredictorError:
    return PredictorError(
        f"{argument} is for {what}",
        code="not_applicable",
        hint="Leave it out",
        field=argument,
    )


def warning(type: str, severity: str, message: str, columns: list[str]) -> dict[str, Any]:
    """A warning as the model card has them."""
    return {"type": type, "severity": severity, "message": message, "columns": columns}
