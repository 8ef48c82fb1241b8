"""The index of a vector database: good enough, never wrong, and never missed when it is lost."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from featrix_server.settings import Settings

from .conftest import KEY, Server, Trained, running

EXACT_BELOW = 400
ROWS = 900
QUERIES = [{"plan": plan, "age": age} for plan in ("basic", "pro") for age in (25, 50, 75)]


class Indexed:
    """A database of `ROWS` records on a server that builds graphs early."""

    def __init__(self, server: Server, path: str) -> None:
        self.server, self.path = server, path

    def post(self, route: str, **body: Any) -> dict[str, Any]:
        answer = self.server.http.post(f"{self.path}/{route}", json=body)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def answers(self, k: int = 10) -> list[list[Any]]:
        """What every query finds."""
        searches = [
            self.post("search", query_record=query, k=k, include_field_similarity=False)
            for query in QUERIES
        ]
        return [[(hit["id"], hit["similarity"]) for hit in one["results"]] for one in searches]

    def index(self) -> dict[str, Any]:
        found: dict[str, Any] = self.server.http.get(self.path).json()["index"]
        return found

    def wait_for_graph(self, than: tuple[int, int] | None = None) -> None:
        """Search until there is a graph, another one than that of this size and time."""
        deadline = time.monotonic() + 60
        while self.index()["kind"] != "hnsw" or self.written() == than:
            assert time.monotonic() < deadline, "no graph was built"
            self.answers()
            time.sleep(0.05)

    @property
    def file(self) -> Path:
        (file,) = self.server.settings.sessions_dir.glob("*/vectors/*.graph")
        return file

    def written(self) -> tuple[int, int]:
        about = self.file.stat()
        return about.st_size, about.st_mtime_ns


Serve = Callable[..., AbstractContextManager[Indexed]]


def records(count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [
        {
            "plan": draw.choice(["basic", "plus", "pro"]),
            "age": draw.randint(18, 80),
            "price": round(draw.uniform(5, 30), 2),
        }
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def filled(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a server whose database has a graph."""
    folder = tmp_path_factory.mktemp("indexed") / "data"
    shutil.copytree(trained.server.settings.data_dir, folder)
    with running(Settings(data_dir=folder, api_key=KEY, vector_exact_below=EXACT_BELOW)) as server:
        path = f"{trained.path}/vector_databases"
        server.http.post(path, json={"name": "big"})
        indexed = Indexed(server, f"{path}/big")
        indexed.post("records", records=records(ROWS, 1))
        indexed.wait_for_graph()
    return folder


@pytest.fixture
def serve(filled: Path, trained: Trained, tmp_path: Path) -> Serve:
    """Serve a copy of that folder, as often as wanted."""
    folder = tmp_path / "data"
    shutil.copytree(filled, folder)

    @contextmanager
    def start(exact_below: int = EXACT_BELOW) -> Iterator[Indexed]:
        settings = Settings(data_dir=folder, api_key=KEY, vector_exact_below=exact_below)
        with running(settings) as server:
            yield Indexed(server, f"{trained.path}/vector_databases/big")

    return start


def exact(serve: Serve) -> list[list[Any]]:
    """What a server finds that looks at every vector."""
    with serve(10**6) as indexed:
        assert indexed.index() == {"kind": "exact", "recall_at_10": 1.0}
        return indexed.answers()


def assert_as_good(found: list[list[Any]], nearest: list[list[Any]]) -> None:
    """Check that hardly any of the nearest is missing, and that no similarity is wrong."""
    pairs = list(zip(found, nearest, strict=True))
    assert [len(hits) for hits in found] == [len(hits) for hits in nearest]
    kept = sum(len(set(hits) & set(best)) for hits, best in pairs)
    assert kept >= 0.95 * sum(len(best) for best in nearest)
    for hits, best in pairs:
        assert dict(hits) | dict(best) == dict(best) | dict(hits)
        assert [hit[1] for hit in hits] == sorted((hit[1] for hit in hits), reverse=True)


def test_a_graph_finds_what_looking_at_every_vector_finds(serve: Serve) -> None:
    with serve() as indexed:
        assert indexed.index()["kind"] == "hnsw"
        assert 0.99 <= indexed.index()["recall_at_10"] <= 1
        before = indexed.written()
        found = indexed.answers()
        assert indexed.written() == before  # it was read, not built again
        assert [len(hits) for hits in indexed.answers(ROWS + 5)] == [ROWS] * len(QUERIES)
    assert_as_good(found, exact(serve))


def test_what_comes_and_goes_after_the_graph_was_built_counts_at_once(serve: Serve) -> None:
    with serve() as indexed:
        before = indexed.answers()
        indexed.post("remove", ids=[hit[0] for hits in before for hit in hits[:5]])
        indexed.post("records", records=[query | {"new": True} for query in QUERIES])
        found = indexed.answers()
        assert [hits[0][1] for hits in found] == [1.0] * len(QUERIES)
        assert not {hit[0] for hits in found for hit in hits} & {
            hit[0] for hits in before for hit in hits[:5]
        }
    assert_as_good(found, exact(serve))


@pytest.mark.parametrize("change", ["grown", "shrunk"])
def test_a_graph_that_fell_behind_is_replaced(serve: Serve, change: str) -> None:
    with serve() as indexed:
        old = indexed.written()
        if change == "grown":
            indexed.post("records", records=records(EXACT_BELOW, 2))
        else:
            some = indexed.post("search", query_record=QUERIES[0], k=ROWS // 3)["results"]
            indexed.post("remove", ids=[hit["id"] for hit in some])
        indexed.wait_for_graph(than=old)
        found = indexed.answers()
    assert_as_good(found, exact(serve))


def overwritten(content: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-1000]),
    "empty": overwritten(b""),
    "of another kind": overwritten(b"PK\x03\x04" * 500),
    "of another version": lambda file: file.write_bytes(
        file.read_bytes().replace(b'"version": 1', b'"version": 2', 1)
    ),
    "scrambled": lambda file: file.write_bytes(file.read_bytes()[::-1]),
    "one bit off": lambda file: file.write_bytes(
        (content := file.read_bytes())[:-50] + bytes([content[-50] ^ 1]) + content[-49:]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_built_anew(serve: Serve, damage: str) -> None:
    with serve() as indexed:
        expected = indexed.answers()
        DAMAGES[damage](indexed.file)
        assert indexed.answers() == expected  # the running server does not need it
    with serve() as indexed:
        assert_as_good(indexed.answers(), expected)
        deadline = time.monotonic() + 60
        while indexed.index()["kind"] != "hnsw" or not whole(indexed):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert_as_good(indexed.answers(), expected)
    with serve() as indexed:
        assert indexed.index()["kind"] == "hnsw"
        assert_as_good(indexed.answers(), expected)


def whole(indexed: Indexed) -> bool:
    from featrix_server.vector_graph import GraphError, read_graph

    try:
        return read_graph(indexed.file).size > 0
    except (OSError, ValueError, GraphError):
        return False


def test_a_file_of_an_earlier_state_does_no_harm(serve: Serve, tmp_path: Path) -> None:
    kept = tmp_path / "old.graph"
    with serve() as indexed:
        shutil.copy(indexed.file, kept)
        old = indexed.written()
        indexed.post("records", records=records(EXACT_BELOW, 3))
        gone = [hit[0] for hits in indexed.answers() for hit in hits[:3]]
        indexed.post("remove", ids=gone)
        indexed.wait_for_graph(than=old)
        expected = indexed.answers()
        file = indexed.file
    shutil.copy(kept, file)
    with serve() as indexed:
        assert_as_good(indexed.answers(), expected)
        indexed.wait_for_graph(than=old)
        assert_as_good(indexed.answers(), expected)
    assert_as_good(expected, exact(serve))


def test_a_removed_database_leaves_no_file(serve: Serve) -> None:
    with serve() as indexed:
        file = indexed.file
        indexed.answers()
        indexed.server.http.delete(indexed.path)
        assert not file.exists()


def test_a_server_that_ends_while_it_builds_ends_at_once(serve: Serve) -> None:
    with serve() as indexed:
        expected = indexed.answers()
        indexed.file.unlink()
    with serve() as indexed:
        indexed.answers()  # starts the building, which the end of the block must not wait for
    with serve() as indexed:
        indexed.answers()
        indexed.wait_for_graph()
        assert_as_good(indexed.answers(), expected)
