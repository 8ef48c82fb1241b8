"""Nearest records of a vector database, from an index in memory that is derived from its rows.

An index follows its rows: before each search it asks for the state of the database and reads what
has come since. Below `Settings.vector_exact_below` records every vector is looked at. Above, a
graph (HNSW) is built beside the searches and kept as a file in the session's folder. A graph
never changes; records that came after it are looked at one by one, removed ones are passed over,
and once it is too far behind, another one takes its place. So no state of the file, or lack of
it, can make an answer wrong.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from featrix_server.db import Database, VectorDatabaseRow, VectorRecordRow
from featrix_server.store import Store
from featrix_server.vector_graph import Graph, GraphError, build_graph, read_graph, read_recall

logger = logging.getLogger(__name__)

FOLDER = "vectors"
_PAGE = 10_000  # rows read at once
_FILTERS = 8  # filters of a database whose answers are remembered
_GRAPH_MOST = 100  # neighbours a graph is asked for at most; for more every vector is looked at
_END_S = 10.0  # a graph that is being built looks up far more often
_REBUILD_SHARE = 4  # a graph is replaced once a quarter of it is gone or as much has come


@dataclass(frozen=True)
class Hit:
    """A record that was found, and the cosine of its angle to the query."""

    id: int
    similarity: float


def exact(vectors: np.ndarray, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the `k` vectors nearest to `query`, nearest first, and their cosines.

    Parameters
    ----------
    vectors
        float32 (n, d), rows of length one.
    query
        float32 (d,), of length one.
    k
        How many; all if there are fewer.
    """
    from usearch.index import search

    if not len(vectors):
        return np.empty(0, np.int64), np.empty(0)
    found = search(vectors, query, min(k, len(vectors)), "ip", exact=True)
    return _ranked(vectors, np.asarray(found.keys, np.int64), query, k)


def _ranked(
    vectors: np.ndarray, places: np.ndarray, query: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Order places by their exact cosine; of equals the earlier one first."""
    similarities = np.clip(vectors[places].astype(np.float64) @ query.astype(np.float64), -1, 1)
    order = np.lexsort((places, -similarities.round(6)))[:k]
    return places[order], similarities[order]


@dataclass(frozen=True)
class _Contents:
    """The vectors of a database at one moment.

    ``ids`` int64 (n,) rise; ``vectors`` float32 (n, d). Both may be views of larger arrays whose
    rest is free for what comes next.
    """

    last_id: int
    removed_count: int
    ids: np.ndarray
    vectors: np.ndarray

    @staticmethod
    def nothing() -> _Contents:
        return _Contents(0, 0, np.empty(0, np.int64), np.empty((0, 0), np.float32))

    def without(self, alive: np.ndarray) -> _Contents:
        kept = np.isin(self.ids, alive)
        return _Contents(self.last_id, self.removed_count, self.ids[kept], self.vectors[kept])

    def places(self, ids: np.ndarray) -> np.ndarray:
        """Places of those of the ids that are here."""
        places = np.searchsorted(self.ids, ids)
        places[places == len(self.ids)] = 0
        return places[self.ids[places] == ids] if len(self.ids) else places[:0]


class VectorIndex:
    """The index of one database; safe to share between threads.

    Parameters
    ----------
    database, row
        Where the truth is.
    folder
        Where the graph's file is kept.
    exact_below
        Records below which every vector is looked at.
    """

    def __init__(
        self, database: Database, row: VectorDatabaseRow, folder: Path, exact_below: int
    ) -> None:
        self._database = database
        self._id = row.id
        self.session_id = row.session_id
        self._file = graph_file(folder, row)
        self._exact_below = exact_below
        self._contents = _Contents.nothing()
        self._spare: tuple[np.ndarray, np.ndarray] = self._contents.ids, self._contents.vectors
        self._graph: Graph | None = None
        self._chosen: dict[str, tuple[tuple[int, int], np.ndarray]] = {}
        self._lock = threading.Lock()
        self._builder: threading.Thread | None = None
        self._stop = threading.Event()

    def search(self, query: np.ndarray, k: int, among: np.ndarray | None = None) -> list[Hit]:
        """Return the `k` nearest records, nearest first; all if there are fewer.

        Parameters
        ----------
        query
            float32 (d,), of length one.
        k
            How many.
        among
            Ids to choose from; None for all.
        """
        contents = self._refreshed()
        if among is not None:
            places = contents.places(among)
            chosen, similarities = exact(contents.vectors[places], query, k)
            return _hits(contents.ids[places], chosen, similarities)
        graph = self._graph
        found = None
        if graph is not None and len(contents.ids) >= self._exact_below:
            found = _by_graph(contents, graph, query, k)
        return _hits(contents.ids, *(found or exact(contents.vectors, query, k)))

    def chosen(
        self, row: VectorDatabaseRow, where: str, choose: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """Return the ids that a filter keeps, remembered for as long as the records stay the same.

        Parameters
        ----------
        row
            The database, as it was before the records are read.
        where
            The filter.
        choose
            Reads the records.
        """
        state = row.last_id, row.removed_count
        with self._lock:
            if (known := self._chosen.get(where)) and known[0] == state:
                return known[1]
        ids = choose()
        with self._lock:
            self._chosen.pop(where, None)
            self._chosen[where] = state, ids
            while len(self._chosen) > _FILTERS:
                del self._chosen[next(iter(self._chosen))]
        return ids

    def close(self) -> None:
        """Give up a graph that is being built."""
        self._stop.set()
        with self._lock:
            builder = self._builder
        if builder is not None:
            builder.join(_END_S)

    # ------------------------------------------------------------ following the rows

    def _refreshed(self) -> _Contents:
        with self._lock:
            with self._database.read() as session:
                row = session.get(VectorDatabaseRow, self._id)
                if row is None:  # removed at this moment
                    return _Contents.nothing()
                known = self._contents
                if (row.last_id, row.removed_count) != (known.last_id, known.removed_count):
                    self._contents = self._read(session, row)
            self._start_builder()
            return self._contents

    def _read(self, session: Session, row: VectorDatabaseRow) -> _Contents:
        contents = self._contents
        of_this = VectorRecordRow.database_id == row.id
        if row.removed_count != contents.removed_count and len(contents.ids):
            alive = session.scalars(select(VectorRecordRow.id).where(of_this)).all()
            contents = contents.without(np.asarray(alive, np.int64))
            self._spare = contents.ids, contents.vectors
        fresh = select(VectorRecordRow.id, VectorRecordRow.vector).where(
            of_this, VectorRecordRow.id > contents.last_id, VectorRecordRow.id <= row.last_id
        )
        ids, vectors = contents.ids, contents.vectors
        found = session.execute(
            fresh.order_by(VectorRecordRow.id).execution_options(yield_per=_PAGE)
        )
        for page in found.partitions():
            new_ids, blobs = zip(*page, strict=True)
            block = np.frombuffer(b"".join(blobs), "<f4").reshape(len(page), -1)
            ids, vectors = self._append(ids, vectors, np.asarray(new_ids, np.int64), block)
        return _Contents(row.last_id, row.removed_count, ids, vectors)

    def _append(
        self, ids: np.ndarray, vectors: np.ndarray, new_ids: np.ndarray, block: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Put new vectors behind the old ones, in place if there is room.

        Searches under way see only the rows they began with, which stay as they are.
        """
        n, total = len(ids), len(ids) + len(block)
        room_ids, room = self._spare
        if len(room_ids) < total or room.shape[1] != block.shape[1]:
            room_ids = np.empty(max(total, len(room_ids) * 3 // 2), np.int64)
            room = np.empty((len(room_ids), block.shape[1]), np.float32)
            room_ids[:n], room[:n] = ids, vectors.reshape(n, block.shape[1])
            self._spare = room_ids, room
        room_ids[n:total], room[n:total] = new_ids, block
        return room_ids[:total], room[:total]

    # ------------------------------------------------------------------- the graph

    def _start_builder(self) -> None:
        """Have a graph loaded or built if one is due. The lock is held."""
        if self._builder is not None or self._stop.is_set() or not self._is_due(self._graph):
            return
        self._builder = threading.Thread(target=self._build, name="vector-graph", daemon=True)
        self._builder.start()

    def _is_due(self, graph: Graph | None) -> bool:
        n = len(self._contents.ids)
        if n < self._exact_below:
            return False
        if graph is None:
            return True
        come = n - int(np.searchsorted(self._contents.ids, graph.last_id, side="right"))
        gone = graph.size - (n - come)
        limit = graph.size // _REBUILD_SHARE
        return come >= max(self._exact_below, limit) or gone > limit

    def _build(self) -> None:
        try:
            graph = self._graph or self._load()
            while not self._stop.is_set() and self._is_due(graph):
                contents = self._contents
                graph = build_graph(contents.ids, contents.vectors, graph, self._stop)
                if graph is not None:
                    logger.info("database %s: %s", self._id, graph)
                    self._graph = graph
                    graph.write(self._file)
            self._graph = graph
        except OSError as error:  # a full disk, or a folder that has just been removed
            logger.warning("the graph of database %s is not kept: %s", self._id, error)
        except Exception:  # searching goes on without one, by scanning
            logger.exception("no graph for database %s", self._id)
            self._stop.set()  # not again at every search
        finally:
            with self._lock:
                self._builder = None

    def _load(self) -> Graph | None:
        try:
            return read_graph(self._file)
        except FileNotFoundError:
            return None
        except (GraphError, OSError) as error:
            logger.warning("the graph %s is built anew: %s", self._file, error)
            return None


def _by_graph(
    contents: _Contents, graph: Graph, query: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Search by the graph, and what is newer one by one; None if that cannot give `k` records."""
    if k > _GRAPH_MOST or not graph.is_good:
        return None
    places = contents.places(graph.search(query, k))
    if len(places) < k:
        return None
    tail = int(np.searchsorted(contents.ids, graph.last_id, side="right"))
    newer, _ = exact(contents.vectors[tail:], query, k)
    return _ranked(contents.vectors, np.concatenate([places, newer + tail]), query, k)


def _hits(ids: np.ndarray, places: np.ndarray, similarities: np.ndarray) -> list[Hit]:
    return [Hit(*one) for one in zip(ids[places].tolist(), similarities.tolist(), strict=True)]


def graph_file(session_folder: Path, row: VectorDatabaseRow) -> Path:
    """Where the graph of a database is kept."""
    return session_folder / FOLDER / f"{row.id}.graph"


class VectorIndexes:
    """The indexes of the databases that were searched last.

    Parameters
    ----------
    database, store
        Where the truth is, and the folders for the files.
    capacity
        Indexes kept in memory, at least 1.
    exact_below
        Records below which every vector is looked at.
    """

    def __init__(self, database: Database, store: Store, capacity: int, exact_below: int) -> None:
        self._database = database
        self._store = store
        self._capacity = capacity
        self._exact_below = exact_below
        self._indexes: OrderedDict[int, VectorIndex] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, row: VectorDatabaseRow) -> VectorIndex:
        """Return the index of a database."""
        forgotten = None
        with self._lock:
            if row.id not in self._indexes:
                folder = self._store.folder(row.session_id)
                self._indexes[row.id] = VectorIndex(self._database, row, folder, self._exact_below)
            self._indexes.move_to_end(row.id)
            if len(self._indexes) > self._capacity:
                _, forgotten = self._indexes.popitem(last=False)
            index = self._indexes[row.id]
        if forgotten is not None:
            forgotten.close()
        return index

    def recall(self, row: VectorDatabaseRow) -> float | None:
        """Return the measured recall@10 of a database's graph; None if it is searched exactly."""
        if row.record_count < self._exact_below:
            return None
        return read_recall(graph_file(self._store.folder(row.session_id), row))

    def remove(self, row: VectorDatabaseRow) -> None:
        """Forget a database that was removed, and its file."""
        with self._lock:
            index = self._indexes.pop(row.id, None)
        if index is not None:
            index.close()
        graph_file(self._store.folder(row.session_id), row).unlink(missing_ok=True)

    def forget(self, session_id: str) -> None:
        """Forget the databases of a session that was deleted."""
        with self._lock:
            found = [key for key, one in self._indexes.items() if one.session_id == session_id]
            indexes = [self._indexes.pop(key) for key in found]
        for index in indexes:
            index.close()

    def close(self) -> None:
        """End everything that is being built."""
        with self._lock:
            indexes = list(self._indexes.values())
            self._indexes.clear()
        for index in indexes:
            index.close()
