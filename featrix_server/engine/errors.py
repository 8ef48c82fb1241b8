"""What every refusal of the engine carries (why, where, what to do), and damaged models."""

from __future__ import annotations


class CallerError(ValueError):
    """The caller's data or wish cannot be used.

    Attributes
    ----------
    code : str
        Short stable word for the kind of fault, such as ``"empty"`` or ``"unknown_target"``.
    hint : str or None
        What to do.
    field : str or None
        The column or argument at fault.
    """

    def __init__(
        self, message: str, *, code: str, hint: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        message = str(self.args[0]).rstrip(".")
        return f"{message}. {self.hint}." if self.hint else f"{message}."


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or of another model."""


class OtherVersionError(CheckpointError):
    """A file is of a form that this version does not read."""
