"""A reference record: one known good example, to find more like it without any labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featrix_client.encoding import encode_records
from featrix_client.errors import FeatrixHTTPError
from featrix_client.records import clean_record
from featrix_client.transport import Transport
from featrix_client.vector_database import DEFAULT_NAME, VectorDatabase, search


class ReferenceRecord:
    """A good example. Made by `FoundationalModel.create_reference_record`, not by hand.

    It lives in this object only; the server keeps nothing of it.

    Attributes
    ----------
    record : dict
        The example; columns it does not have are left out of account.
    name : str
        Name given to it.
    session_id : str
        The foundational model whose space it is placed in.
    """

    def __init__(
        self,
        transport: Transport,
        session_id: str,
        record: Mapping[str, Any],
        name: str | None = None,
    ) -> None:
        self._transport = transport
        self._path = f"/compute/session/{session_id}"
        self.session_id = session_id
        self.record = clean_record(record)
        self.name = name or "reference"
        # At once, so that a record the model cannot place is refused here and not later.
        (place,) = encode_records(transport, self._path, [self.record])
        self._embedding = place["embedding_long"]

    def __repr__(self) -> str:
        return (
            f"ReferenceRecord(name={self.name!r}, session_id={self.session_id!r}, "
            f"record={self.record!r})"
        )

    def find_similar(
        self, k: int = 10, vector_database: VectorDatabase | None = None
    ) -> list[dict[str, Any]]:
        """Return the records that are most like this one.

        Parameters
        ----------
        k : int
            How many, at least 1; all if there are fewer.
        vector_database : VectorDatabase, optional
            Where to look; None looks among the rows that the model was trained on.

        Returns
        -------
        list of dict
            As of `VectorDatabase.similarity_search`, whose ``id`` is the row's number in the
            table if no database was given. A record equal to this one has similarity 1.
        """
        if vector_database is not None:
            return vector_database.similarity_search(self.record, k)
        try:
            return search(self._transport, f"{self._path}/similar_rows", self.record, k)
        except FeatrixHTTPError as error:
            if error.status != 404:
                raise
        # The hosted service knows the rows only as the database that begins with them.
        default = f"{self._path}/vector_databases/{DEFAULT_NAME}/search"
        return search(self._transport, default, self.record, k)

    def get_embedding(self) -> list[float]:
        """Return its place in the model's space: a unit vector of `dimensions` numbers."""
        return list(self._embedding)
