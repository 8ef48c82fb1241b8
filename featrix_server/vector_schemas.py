"""The bodies of requests and answers about vector databases."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from featrix_server.schemas import MAX_NAME_CHARS

DEFAULT_NAME = "default"

_Record = dict[str, Any]


def _path_safe(name: str) -> str:
    """Refuse names that could not stand in a path."""
    if name.strip() != name or name in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", name):
        raise ValueError("cannot be used: no slashes, control characters or spaces at the ends")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode") from None
    return name


DatabaseName = Annotated[
    str, Field(min_length=1, max_length=MAX_NAME_CHARS), AfterValidator(_path_safe)
]


class CreateVectorDatabase(BaseModel):
    """What may be said about a new vector database. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    name: DatabaseName = DEFAULT_NAME
    auto_populate: bool = Field(False, description="Begin with the rows of the model's table.")

    @field_validator("name", mode="before")
    @classmethod
    def _is_given(cls, value: Any) -> Any:
        return DEFAULT_NAME if value is None else value


class VectorIndexInfo(BaseModel):
    """How a vector database is searched."""

    kind: Literal["exact", "hnsw"]
    recall_at_10: float = Field(
        description="Share of the ten nearest records that are found: 1 if every vector is looked "
        "at, else as measured when the index was built."
    )


class VectorDatabaseInfo(BaseModel):
    """One vector database."""

    session_id: str
    name: str
    record_count: int
    auto_populated: bool
    created_at: str
    index: VectorIndexInfo


class VectorDatabaseList(BaseModel):
    """The vector databases of a model, newest first."""

    vector_databases: list[VectorDatabaseInfo]


class VectorDatabaseSize(BaseModel):
    """How many records a vector database has."""

    size: int


class VectorDatabaseRemoved(BaseModel):
    """A vector database is gone, with so many records."""

    name: str
    records_removed: int


class AddRecords(BaseModel):
    """Body of `records`: added all together or not at all; duplicates are allowed."""

    model_config = ConfigDict(extra="ignore")

    records: list[_Record]


class RecordsAdded(BaseModel):
    """Outcome of `records`."""

    records_added: int
    record_count: int = Field(description="Records there are now.")


class RemoveRecords(BaseModel):
    """Body of `remove`: ids as found by a search, or whole records, of which all equals go."""

    model_config = ConfigDict(extra="ignore")

    ids: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(default_factory=list)
    records: list[_Record] = Field(default_factory=list)


class RecordsRemoved(BaseModel):
    """Outcome of `remove`."""

    records_removed: int
    record_count: int = Field(description="Records there are now.")


class SearchRequest(BaseModel):
    """Body of a search. Columns of the query may be missing; they are then left out of account."""

    model_config = ConfigDict(extra="ignore")

    query_record: _Record
    k: int = Field(10, ge=1, description="Results wanted; all if there are fewer records.")
    where: str | None = Field(
        None,
        description="Search only records for which this holds: SQL conditions on columns, such as "
        "`age >= 30 AND plan IN ('gold', 'basic') AND note IS NOT NULL`.",
    )
    include_field_similarity: bool = True
    expected_missing: list[str] = Field(
        default_factory=list, description="Columns of the query to be left out of account."
    )

    @property
    def shown(self) -> dict[str, Any]:
        """The columns of the query that count."""
        return {
            name: value
            for name, value in self.query_record.items()
            if name not in self.expected_missing
        }


class SearchHit(BaseModel):
    """A record that was found."""

    id: int = Field(description="Of the record; of a row of the table its number.")
    similarity: float = Field(description="Cosine of the angle between the embeddings, -1 to 1.")
    distance: float = Field(description="1 - similarity.")
    record: _Record
    original_data: _Record = Field(description="The same as `record`.")
    field_similarity: dict[str, float] | None = Field(
        description="For the columns that have a value in both: how alike the model finds them, "
        "-1 to 1. Null if not asked for."
    )


class SearchResults(BaseModel):
    """What a search found, nearest first."""

    results: list[SearchHit]
