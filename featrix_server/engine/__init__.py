"""The tabular embedding engine: numbers only, no web, no database.

Names are loaded when first used, so that reading a table does not import the array library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .columns import ColumnEncoder, ColumnSpec, Encoded, encoder_for
    from .compile_cache import enable_compile_cache, warm_up
    from .drift import Drift, DriftReference
    from .errors import CheckpointError
    from .frames import FrameStore
    from .model import EmbeddingModel
    from .plan import TrainOptions
    from .predictors.model import PredictorModel
    from .predictors.options import PredictorError, PredictorOptions
    from .predictors.prediction import Prediction
    from .predictors.report import PredictorReport
    from .predictors.target import TargetSummary, check_target
    from .predictors.training import PredictorResult, fit_predictor, train_more
    from .pretraining import PretrainResult, pretrain
    from .report import Decision, EpochReport
    from .schema import Exclusion, Schema, detect_schema
    from .snapshot import NotKeptError, finish_snapshot, take_checkpoint
    from .table import BadLine, ReadReport, Table, TableError, open_table, read_table

__all__ = [
    "BadLine",
    "CheckpointError",
    "ColumnEncoder",
    "ColumnSpec",
    "Decision",
    "Drift",
    "DriftReference",
    "EmbeddingModel",
    "Encoded",
    "EpochReport",
    "Exclusion",
    "FrameStore",
    "NotKeptError",
    "Prediction",
    "PredictorError",
    "PredictorModel",
    "PredictorOptions",
    "PredictorReport",
    "PredictorResult",
    "PretrainResult",
    "ReadReport",
    "Schema",
    "Table",
    "TableError",
    "TargetSummary",
    "TrainOptions",
    "check_target",
    "detect_schema",
    "enable_compile_cache",
    "encoder_for",
    "finish_snapshot",
    "fit_predictor",
    "open_table",
    "pretrain",
    "read_table",
    "take_checkpoint",
    "train_more",
    "warm_up",
]

_MODULES = {
    "columns": ("ColumnEncoder", "ColumnSpec", "Encoded", "encoder_for"),
    "compile_cache": ("enable_compile_cache", "warm_up"),
    "errors": ("CheckpointError",),
    "drift": ("Drift", "DriftReference"),
    "frames": ("FrameStore",),
    "model": ("EmbeddingModel",),
    "plan": ("TrainOptions",),
    "predictors.model": ("PredictorModel",),
    "predictors.options": ("PredictorError", "PredictorOptions"),
    "predictors.prediction": ("Prediction",),
    "predictors.report": ("PredictorReport",),
    "predictors.target": ("TargetSummary", "check_target"),
    "predictors.training": ("PredictorResult", "fit_predictor", "train_more"),
    "pretraining": ("PretrainResult", "pretrain"),
    "report": ("Decision", "EpochReport"),
    "schema": ("Exclusion", "Schema", "detect_schema"),
    "snapshot": ("NotKeptError", "finish_snapshot", "take_checkpoint"),
    "table": ("BadLine", "ReadReport", "Table", "TableError", "open_table", "read_table"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
