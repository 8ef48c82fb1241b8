"""What a caller may ask of a predictor, and how a faulty wish is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import CallerError


class PredictorError(CallerError):
    """A predictor cannot be made as asked."""


@dataclass(frozen=True)
class PredictorOptions:
    """What to predict and how.

    Attributes
    ----------
    target_column
        The column to predict.
    target_type
        ``"set"``: classes (two or more); ``"scalar"``: numbers.
    epochs
        Epochs of the network; 0: decided from the number of labels.
    seed
        Same table, space, seed and machine: same predictor.
    rare_label_value
        The positive one of two classes; None: the less frequent.
    cost_false_positive, cost_false_negative
        Costs of the two mistakes of a binary predictor, above 0; one alone stands beside 1.
    class_imbalance
        Share of every class where the predictor will be used; need not sum to 1.
    """

    target_column: str
    target_type: Literal["set", "scalar"]
    epochs: int = 0
    seed: int = 0
    rare_label_value: str | None = None
    cost_false_positive: float | None = None
    cost_false_negative: float | None = None
    class_imbalance: dict[str, float] | None = None

    def __post_init__(self) -> None:
        if self.target_type not in ("set", "scalar"):
            raise PredictorError(
                f"{self.target_type!r} is no type of target",
                code="unknown_target_type",
                hint='It is "set" for classes or "scalar" for numbers',
                field="target_type",
            )
        if isinstance(self.epochs, bool) or self.epochs != int(self.epochs) or self.epochs < 0:
            raise PredictorError(
                f"epochs is {self.epochs}",
                code="bad_epochs",
                hint="Give 0 for automatic, or the number of epochs",
                field="epochs",
            )
        for field in ("cost_false_positive", "cost_false_negative"):
            cost = getattr(self, field)
            if cost is not None and not is_positive(cost):
                raise PredictorError(
                    f"{field} is {cost!r}",
                    code="bad_cost",
                    hint="Costs must be finite and greater than 0",
                    field=field,
                )

    @property
    def costs(self) -> tuple[float, float] | None:
        """Costs of a false positive and a false negative; None if neither was given."""
        if self.cost_false_positive is None and self.cost_false_negative is None:
            return None
        return self.cost_false_positive or 1.0, self.cost_false_negative or 1.0


def is_positive(value: Any) -> bool:
    """Whether a value is a finite number above 0."""
    try:
        return not isinstance(value, bool) and math.isfinite(value) and value > 0
    except TypeError:
        return False
