"""Trained models in memory: the few that were used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from featrix_server.engine import EmbeddingModel, PredictorModel

PREDICTOR_FILE = "predictor.json"
"""Written last when a training of a predictor is finished: from then on it can answer."""


class ModelCache:
    """A least-recently-used cache of loaded models, safe to share between threads.

    Parameters
    ----------
    capacity
        Number of models kept, at least 1.
    compile_cache
        Folder where compiled programs are kept between runs.
    """

    def __init__(self, capacity: int, compile_cache: Path) -> None:
        self._capacity = capacity
        self._compile_cache = compile_cache
        self._models: OrderedDict[Path, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, folder: Path) -> EmbeddingModel:
        """Return the model in a session's folder, loading it at its first use."""
        # The engine takes a second to import, which a server that only lists models need not pay.
        from featrix_server import engine

        model = self._get(folder, 0, lambda: engine.EmbeddingModel.load(folder))
        return cast("EmbeddingModel", model)

    def predictor(self, folder: Path, space_folder: Path) -> PredictorModel | None:
        """Return the predictor in a folder as it was last trained; None if it never was."""
        from featrix_server import engine

        while True:
            version = _written(folder / PREDICTOR_FILE)
            if version is None:
                return None
            try:
                model = self._get(
                    folder, version, lambda: engine.PredictorModel.load(folder, space_folder)
                )
            except engine.CheckpointError:
                if _written(folder / PREDICTOR_FILE) == version:
                    raise
                continue  # a worker has just replaced the files that were being read
            return cast("PredictorModel", model)

    def _get(self, key: Path, version: int, load: Callable[[], Any]) -> Any:
        from featrix_server import engine

        with self._lock:  # held while loading, so that a model is never loaded twice at once
            if key not in self._models or self._models[key][0] != version:
                engine.enable_compile_cache(self._compile_cache)
                self._models[key] = (version, load())
            self._models.move_to_end(key)
            while len(self._models) > self._capacity:
                self._models.popitem(last=False)
            return self._models[key][1]

    def drop(self, folder: Path) -> None:
        """Forget the models in a session's folder."""
        with self._lock:
            for key in [key for key in self._models if key.is_relative_to(folder)]:
                del self._models[key]


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
