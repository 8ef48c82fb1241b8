"""`kill -9` of the server while records are added: nothing acknowledged is lost, no half batch."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest

from featrix_server.process import read_record
from tests.server.conftest import Host

from .conftest import Trained

pytestmark = pytest.mark.timeout(300)

BATCH = 700


def batch(number: int) -> list[dict[str, Any]]:
    return [{"age": 20 + place % 50, "plan": "pro", "batch": number} for place in range(BATCH)]


def test_a_killed_server_keeps_whole_batches_only(
    trained: Trained, host: Host, until: Callable[..., None]
) -> None:
    shutil.copytree(
        trained.server.settings.data_dir,
        host.data_dir,
        ignore=shutil.ignore_patterns("compile-cache"),
        dirs_exist_ok=True,
    )
    acknowledged: list[int] = []
    with host.api(host.start()) as api:
        assert api.post(f"{trained.path}/vector_databases", json={}).status_code == 200
        path = f"{trained.path}/vector_databases/default"
        adding = threading.Thread(target=add_until_it_dies, args=(api, path, acknowledged))
        adding.start()
        until(lambda: len(acknowledged) >= 3, 120)
        record = read_record(host.data_dir)
        assert record is not None
        psutil.Process(record.pid).kill()
        adding.join()
    with host.api(host.start()) as api:
        stored = batches(api, path)
        last = len(acknowledged)
        assert set(stored) <= {*range(last + 1)}  # the last one may be in, unacknowledged
        assert set(stored) >= {*range(last)}
        assert set(stored.values()) == {BATCH}
        assert add(api, path, last) == BATCH * (last + 1)  # sent again, it is there once
        assert batches(api, path) == Counter(dict.fromkeys(range(last + 1), BATCH))


def add(api: httpx.Client, path: str, number: int) -> int:
    headers = {"X-Featrix-Idempotency-Key": f"batch-{number}"}
    body = {"records": batch(number)}
    answer = api.post(f"{path}/records", json=body, headers=headers, timeout=60)
    count: int = answer.json()["record_count"]
    return count


def add_until_it_dies(api: httpx.Client, path: str, acknowledged: list[int]) -> None:
    try:
        while True:
            add(api, path, len(acknowledged))
            acknowledged.append(len(acknowledged))
    except httpx.TransportError:
        return


def batches(api: httpx.Client, path: str) -> Counter[int]:
    """How many records there are of each batch."""
    query = {"query_record": {"age": 30}, "k": 10**6, "include_field_similarity": False}
    found = api.post(f"{path}/search", json=query, timeout=60).json()["results"]
    assert api.get(f"{path}/size").json()["size"] == len(found)
    return Counter(hit["record"]["batch"] for hit in found)
