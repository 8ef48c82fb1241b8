"""Trained models in memory: the few that were used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from featrix_server.engine import EmbeddingModel


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
        self._models: OrderedDict[Path, EmbeddingModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, folder: Path) -> EmbeddingModel:
        """Return the model in a session's folder, loading it at its first use."""
        # The engine takes a second to import, which a server that only lists models need not pay.
        from featrix_server import engine

        with self._lock:  # held while loading, so that a model is never loaded twice at once
            if folder not in self._models:
                engine.enable_compile_cache(self._compile_cache)
                self._models[folder] = engine.EmbeddingModel.load(folder)
            self._models.move_to_end(folder)
            while len(self._models) > self._capacity:
                self._models.popitem(last=False)
            return self._models[folder]

    def drop(self, folder: Path) -> None:
        """Forget a model."""
        with self._lock:
            self._models.pop(folder, None)
