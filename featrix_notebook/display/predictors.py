"""How predictors and their answers look."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from .asking import answers, fetch
from .pieces import (
    bar,
    bars,
    block,
    card,
    facts,
    faint,
    loss_sparkline,
    number,
    score,
    state,
    table,
)

SHOWN_RESULTS = 10


def predictor_html(predictor: Any) -> str:
    """Status, target, loss curve, and each score with what it means."""
    asked = [predictor.get_metrics] if answers(predictor) else []
    if asked and predictor.status == "training":
        fetch(predictor.refresh)
    (told, *_) = [*fetch(*asked), None]
    metrics: dict[str, Any] = told if isinstance(told, dict) else {}
    rows = [row for row in metrics.get("training_info") or () if isinstance(row, dict)]
    losses = {"train_loss": "loss", "val_loss": "validation_loss"}
    data = {name: [row.get(of) for row in rows] for name, of in losses.items()}
    kind = "classes" if predictor.target_type == "set" else "numbers"
    about = facts(
        [
            ("id", predictor.id),
            ("predicts", f"{predictor.target_column} ({kind})"),
            ("epochs", predictor.training_state.epoch or len(rows) or None),
            ("error", predictor.training_state.error if predictor.status == "error" else None),
        ]
    )
    head = f"<b>{escape(str(predictor.name))}</b> {state(predictor.status, predictor.status)}"
    scores = scores_html(predictor, metrics)
    where = faint("On rows held back from its training:") if scores else ""
    return card(block(head, about), loss_sparkline(data), f"<div>{where}{scores}</div>")


def scores_html(predictor: Any, metrics: Mapping[str, Any]) -> str:
    """The scores as a table: name, value, bar for a share, meaning."""
    final = metrics.get("final_metrics")
    final = dict(final) if isinstance(final, Mapping) else {}
    for name in ("accuracy", "auc", "f1"):  # what the status tells anyway
        final.setdefault(name, getattr(predictor, name))
    calibration = metrics.get("calibration")
    if isinstance(calibration, Mapping):
        final.setdefault("ece", calibration.get("ece"))
    rows = []
    for key, name, is_share, meaning in _meanings(str(predictor.target_column), final):
        value = final.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            shown = f"{value:.3f}" if is_share else number(float(value))
            rows.append((escape(name), shown, bar(value) if is_share else "", faint(meaning)))
    return table(rows)


def _meanings(target: str, final: Mapping[str, Any]) -> list[tuple[str, str, bool, str]]:
    """Key, name, whether it is a share of 1, and what it says."""
    several = len(final.get("confusion_matrix") or ()) > 2
    each = "; mean over the classes" if several else ""
    base = _largest_share(final.get("confusion_matrix"))
    always = f"; always saying the most frequent class: {base:.3f}" if base else ""
    area = "roc_auc" if final.get("roc_auc") is not None else "auc"
    return [
        ("accuracy", "accuracy", True, f"share of rows told right{always}"),
        (
            area,
            "ROC-AUC",
            True,
            f"chance to rank a row of the class above another; 0.5 is luck{each}",
        ),
        ("pr_auc", "PR-AUC", True, f"mean precision over all thresholds{each}"),
        ("f1", "F1", True, f"balance of precision and recall at its threshold{each}"),
        ("ece", "calibration error", False, "how far probabilities are off on average"),
        ("r2", "R²", True, "share of the variance explained; 0 is always saying the mean"),
        ("rmse", "RMSE", False, f"typical error in units of {target}, large ones weigh more"),
        ("mae", "MAE", False, f"mean error in units of {target}"),
    ]


def _largest_share(confusion: Any) -> float | None:
    """Of the rows, how many are of the most frequent class."""
    try:
        counts = [sum(row) for row in confusion or ()]
        return max(counts) / sum(counts) if sum(counts) else None
    except TypeError:  # not a matrix of numbers
        return None


def result_html(result: Any) -> str:
    """The answer and how sure it is, the classes as bars, every warning, what counted."""
    if result.error is not None:
        return card(block(state("error", "not answered"), facts([("error", result.error)])))
    answer = result.prediction if result.predicted_class is None else result.predicted_class
    interval = result.prediction_interval
    at = score(result.confidence)
    border = "0 at the border between classes" if result.probabilities else "0.5 is usual"
    told = facts(
        [
            ("confidence", at and f"{at} ({border}, 1 at most)"),
            ("threshold", _threshold(result)),
            ("nine times of ten", interval and " to ".join(map(number, interval))),
            ("ignored columns", ", ".join(map(str, result.ignored_query_columns))),
        ]
    )
    warnings = "".join(
        f"<div>{state('warning', name)} {escape(str(text))}</div>"
        for name, text in result.guardrails.items()
    )
    marks = {result.pos_label: result.threshold} if result.pos_label is not None else {}
    return card(
        block(f'<b style="font-size:18px">{escape(number(answer))}</b>', told, warnings),
        bars("probability", result.probabilities, marks),
        bars("importance of columns", result.feature_importance or {}),
    )


def _threshold(result: Any) -> str | None:
    at = score(result.threshold)
    return at and (f"{at} for {result.pos_label}" if result.pos_label is not None else at)


def results_html(results: Any) -> str:
    """What the answers are in a line, and the first of them as a table."""
    frame: str = results.to_frame().to_html(max_rows=SHOWN_RESULTS, border=0, na_rep="")
    return f"<div><div>{escape(results.summary())}</div>{frame}</div>"


def feedback_html(feedback: Any) -> str:
    """What was true, of which prediction, and whether the server knows."""
    word = state("done", "sent") if feedback.sent else state("warning", "not sent yet: .send()")
    told = facts([("truth", feedback.ground_truth), ("prediction", feedback.prediction_uuid)])
    return card(block(f"<b>feedback</b> {word}", told))
