"""A vector database on the server: records kept with their embeddings, searched by likeness."""

from __future__ import annotations

import operator
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from featrix_client.encoding import encode_records
from featrix_client.errors import FeatrixInputError, missing_error
from featrix_client.progress import slow_bar, told_when_interrupted
from featrix_client.records import clean_record, clean_records
from featrix_client.transport import Transport

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_NAME = "default"

_BATCH_TIMEOUT_S = 300.0


class VectorDatabase:
    """A view of one vector database. Made by `FoundationalModel`, not by hand.

    Attributes
    ----------
    name : str
        Its name, unique within the model.
    session_id : str
        The foundational model that embeds its records.
    created_at : str or None
        When it was created, as ISO 8601 text.
    raw : dict
        What the server last told about it.
    """

    def __init__(self, transport: Transport, session_id: str, raw: dict[str, Any]) -> None:
        self._transport = transport
        self._model_path = f"/compute/session/{session_id}"
        self.session_id = session_id
        self.name = str(raw["name"])
        self.created_at: str | None = raw.get("created_at")
        self.raw = raw

    def __repr__(self) -> str:
        return f"VectorDatabase(name={self.name!r}, session_id={self.session_id!r})"

    @property
    def _path(self) -> str:
        return f"{self._model_path}/vector_databases/{quote(self.name, safe='')}"

    def refresh(self) -> dict[str, Any]:
        """Ask the server about it; return the raw answer.

        Returns
        -------
        dict
            ``record_count``, ``auto_populated``, and from our server ``index``: its ``kind``
            (``exact`` or ``hnsw``) and measured ``recall_at_10``.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if it is gone.
        """
        self.raw = self._transport.get(self._path)
        return self.raw

    def add_records(
        self,
        records: Mapping[str, Any] | Iterable[Mapping[str, Any]] | pd.DataFrame,
        batch_size: int = 500,
    ) -> int:
        """Add records. They are kept as they are; the same one may be there several times.

        Parameters
        ----------
        records : list of dict, dict, or pandas.DataFrame
            The records. Columns may be missing, and there may be others than the model's.
        batch_size : int
            Records a request, at least 1; a request is carried out as a whole or not at all.

        Returns
        -------
        int
            Records in the database now.

        Raises
        ------
        ValueError
            If something in `records` is no record, or has none of the model's columns; the
            message names the place. The batches before it have been added by then.
        """
        rows = clean_records(records)
        size = _positive(batch_size, "batch_size")
        count: int | None = None
        start = 0

        def words() -> str:
            return (
                f"Interrupted when {start:,} of {len(rows):,} records had been added; the batch "
                "after them is there as a whole or not at all: size() tells."
            )

        with told_when_interrupted(words), slow_bar("Adding records", len(rows)) as advance:
            for start in range(0, len(rows), size):
                batch = rows[start : start + size]
                try:
                    answer = self._add(batch)
                except FeatrixInputError as error:
                    raise _renumbered(error, start) from error
                count = answer.get("record_count")
                advance(len(batch))
        return self.size() if count is None else count

    def _add(self, batch: list[dict[str, Any]]) -> dict[str, Any]:
        answer: dict[str, Any] = self._transport.json(
            "POST",
            f"{self._path}/records",
            json={"records": batch},
            # With a key of its own a batch is added once, however often it is sent.
            headers={"X-Featrix-Idempotency-Key": str(uuid.uuid4())},
            repeatable=True,
            timeout=_BATCH_TIMEOUT_S,
        )
        return answer

    def similarity_search(
        self, query: Mapping[str, Any], k: int = 10, *, where: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the records that are most like one.

        Parameters
        ----------
        query : dict
            A record; columns it does not have are left out of account.
        k : int
            How many, at least 1; all if there are fewer.
        where : str, optional
            Search only the records for which this holds, in the words of SQL: for instance
            ``age >= 30 AND plan IN ('gold', 'basic') AND note IS NOT NULL``.

        Returns
        -------
        list of dict
            The most similar first: ``similarity`` (cosine of the embeddings, -1 to 1),
            ``record`` (also as ``original_data``), ``distance``, ``field_similarity`` (how alike
            the single columns are), and from our server ``id``.

        Raises
        ------
        ValueError
            If `query` is no record or `where` no condition.
        """
        return search(self._transport, f"{self._path}/search", query, k, where=where)

    def encode(
        self,
        records: Mapping[str, Any] | Iterable[Mapping[str, Any]] | pd.DataFrame,
        short: bool = False,
    ) -> list[dict[str, list[float]]]:
        """Return the place of records in the model's space, as `FoundationalModel.encode`."""
        return encode_records(self._transport, self._model_path, records, short)

    def size(self) -> int:
        """Return the number of records."""
        return int(self._transport.get(f"{self._path}/size")["size"])

    def remove_records(
        self, records: Iterable[int | Mapping[str, Any]] | Mapping[str, Any] | pd.DataFrame | int
    ) -> int:
        """Remove records; those that are not there are passed over.

        Parameters
        ----------
        records : list of int or of dict, or pandas.DataFrame
            Ids, as a search returns them, or whole records; of several equal records all go. A
            single one may be given bare.

        Returns
        -------
        int
            Records removed.

        Raises
        ------
        ValueError
            If something in `records` is neither an id nor a record.
        """
        ids, rows = _ids_and_records(records)
        if not ids and not rows:
            return 0
        wish = {"ids": ids, "records": rows}
        answer = self._transport.json(
            "POST", f"{self._path}/remove", json=wish, timeout=_BATCH_TIMEOUT_S
        )
        return int(answer["records_removed"])

    def delete(self) -> dict[str, Any]:
        """Remove the database with all its records, for good."""
        answer: dict[str, Any] = self._transport.json("DELETE", self._path)
        return answer


def create_database(transport: Transport, session_id: str, name: str | None) -> VectorDatabase:
    """Make a vector database of a model, or find the one there is."""
    _check_name(name)
    # The hosted service begins with the rows of the model's table unless told not to.
    wish = {"name": DEFAULT_NAME if name is None else name, "auto_populate": False}
    path = f"/compute/session/{session_id}/vector_databases"
    raw = transport.post(path, wish, repeatable=True)
    return VectorDatabase(transport, session_id, wish | raw)


def find_database(transport: Transport, session_id: str, name: str | None) -> VectorDatabase:
    """Return a vector database of a model, the newest one if it is not named.

    Raises
    ------
    requests.HTTPError
        With ``.status`` 404 if the server has no such model, or the model no such database.
    """
    _check_name(name)
    path = f"/compute/session/{session_id}/vector_databases"
    if name is not None:
        found = {"name": name} | transport.get(f"{path}/{quote(name, safe='')}")
        return VectorDatabase(transport, session_id, found)
    known = transport.get(path)["vector_databases"]
    if not known:
        raise missing_error(
            f"The model {session_id!r} has no vector database.",
            hint="fm.create_vector_database() makes one.",
        )
    newest = max(known, key=lambda one: one.get("created_at") or "")
    return VectorDatabase(transport, session_id, newest)


def _check_name(name: Any) -> None:
    if name is not None and (not isinstance(name, str) or not name.strip("./ ")):
        raise FeatrixInputError(f"{name!r} is not the name of a vector database.", field="name")


def search(
    transport: Transport, path: str, query: Mapping[str, Any], k: int, **wishes: Any
) -> list[dict[str, Any]]:
    """Ask for the records most like `query` where `path` says, in the form of the reference."""
    wish = {"query_record": clean_record(query, "query"), "k": _positive(k, "k")}
    wish |= {"include_field_similarity": True}
    wish |= {key: value for key, value in wishes.items() if value is not None}
    answer = transport.post(path, wish, repeatable=True)
    return [_in_words_of_the_reference(item) for item in answer["results"]]


def _in_words_of_the_reference(item: dict[str, Any]) -> dict[str, Any]:
    """Give a hit ``similarity`` and ``record``, which some servers call otherwise."""
    if "similarity" not in item and "distance" in item:
        item["similarity"] = 1 - item["distance"]
    item.setdefault("record", item.get("original_data"))
    return item


def _ids_and_records(records: Any) -> tuple[list[int], list[Any]]:
    if _as_id(records) is not None:
        records = [records]
    if isinstance(records, Mapping) or hasattr(records, "to_dict") or isinstance(records, str):
        return [], clean_records(records)
    items = list(records) if isinstance(records, Iterable) else records
    if not isinstance(items, list):
        return [], clean_records(items)  # which says what is wrong with it
    ids = [key for key in map(_as_id, items) if key is not None]
    return ids, clean_records([item for item in items if _as_id(item) is None])


def _as_id(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _positive(value: Any, field: str) -> int:
    number = _as_id(value)
    if number is None or number < 1:
        raise FeatrixInputError(
            f"{field} must be a whole number of at least 1, not {value!r}.", field=field
        )
    return number


def _renumbered(error: FeatrixInputError, start: int) -> FeatrixInputError:
    """Let an error that names a record of a batch name its place among all records."""
    kind, _, place = (error.field or "").partition(".")
    if kind != "records" or not place.isdecimal():
        return error
    field = f"records.{int(place) + start}"
    message = str(error.args[0]).replace(str(error.field), field, 1)
    new = FeatrixInputError(message, field=field)
    new.hint = error.hint
    return new
