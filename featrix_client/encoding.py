"""Records into vectors, asked for in requests of a size that is answered in time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from featrix_client.progress import slow_bar
from featrix_client.records import clean_records
from featrix_client.transport import Transport

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_BATCH = 1000  # records a request: answered well within the time one may take
_TABLE_TIMEOUT_S = 300.0


def encode_records(
    transport: Transport,
    path: str,
    records: Mapping[str, Any] | Iterable[Mapping[str, Any]] | pd.DataFrame,
    short: bool = False,
) -> list[dict[str, list[float]]]:
    """Return the place of records in the space of the model at `path`.

    Parameters, result and errors as for `FoundationalModel.encode`.
    """
    rows = clean_records(records)
    keys = ("embedding",) if short else ("embedding", "embedding_long")
    results: list[dict[str, list[float]]] = []
    with slow_bar("Encoding", len(rows)) as advance:
        for start in range(0, len(rows), _BATCH):
            batch = {"records": rows[start : start + _BATCH]}
            answer = transport.post(f"{path}/encode_records", batch, repeatable=True)
            results += [{key: item[key] for key in keys} for item in answer["results"]]
            advance(len(batch["records"]))
    return results


def read_rows(transport: Transport, path: str) -> np.ndarray[Any, Any]:
    """Return the vectors of a model's own rows; see `FoundationalModel.row_embeddings`."""
    import numpy as np

    answer = transport.request("GET", f"{path}/embeddings", timeout=_TABLE_TIMEOUT_S)
    vectors: np.ndarray[Any, Any] = np.load(io.BytesIO(answer.content), allow_pickle=False)
    return vectors
