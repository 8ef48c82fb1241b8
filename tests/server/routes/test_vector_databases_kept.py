"""Vector databases over time: at once, again, removed, restarted, and fed with anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzz_settings
from hypothesis import strategies as st

from featrix_server.collecting import collect
from featrix_server.db import SessionRow, VectorBatchRow, VectorDatabaseRow, VectorRecordRow, now
from featrix_server.settings import Settings

from .conftest import KEY, Trained, running, running_copy
from .databases import PRO, Database
from .test_gate import assert_envelope

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def model(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A trained model of its own, for databases of different names."""
    with running_copy(trained, tmp_path_factory.mktemp("vectors") / "data") as copy:
        yield copy


def test_two_clients_that_add_at_once_lose_nothing(model: Trained) -> None:
    database = Database(model, "both")
    failures: list[object] = []

    def add(worker: int) -> None:
        try:
            for batch in range(6):
                database.add(*({"age": 20 + n, "from": worker, "batch": batch} for n in range(25)))
                found = database.search({"age": 20}, 1000)
                mine = [hit for hit in found if hit["record"]["from"] == worker]
                assert len(mine) == 25 * (batch + 1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    found = database.search({"age": 20}, 1000)
    assert database.size() == len({hit["id"] for hit in found}) == 450


def test_a_batch_that_is_sent_again_is_added_once(model: Trained) -> None:
    database = Database(model, "again")
    for key, count in (("k1", 1), ("k1", 1), ("k2", 2), (None, 3), (None, 4)):
        headers = {} if key is None else {"X-Featrix-Idempotency-Key": key}
        answer = database.http.post(
            f"{database.path}/records", json={"records": [PRO]}, headers=headers
        )
        assert answer.json() == {"records_added": 1, "record_count": count}


def test_a_removed_database_takes_everything_along(model: Trained) -> None:
    database = Database(model, "gone")
    database.add(PRO, PRO)
    before = count_rows(model)
    assert database.http.delete(database.path).json() == {"name": "gone", "records_removed": 2}
    assert count_rows(model) == (before[0] - 1, before[1] - 2)
    assert_envelope(database.http.get(database.path), 404, "not_found")
    assert Database(model, "gone").created["record_count"] == 0


def count_rows(model: Trained) -> tuple[int, int]:
    with model.server.context.database.read() as session:
        return session.query(VectorDatabaseRow).count(), session.query(VectorRecordRow).count()


def test_a_deleted_model_takes_its_databases_along(trained: Trained, tmp_path: Path) -> None:
    with running_copy(trained, tmp_path / "data") as model:
        database = Database(model, "x")
        database.http.post(
            f"{database.path}/records",
            json={"records": [PRO]},
            headers={"X-Featrix-Idempotency-Key": "k"},
        )
        assert database.search(PRO)
        model.server.http.post(f"{model.path}/mark_for_deletion", json={})
        answer = database.post("search", query_record=PRO)
        assert_envelope(answer, 404, "not_found")
        with model.server.context.database.write() as session:
            session.get_one(SessionRow, model.session_id).deleted_at = now() - timedelta(days=30)
        collect(model.server.context, timedelta(days=7))
        assert count_rows(model) == (0, 0)
        with model.server.context.database.read() as session:
            assert session.query(VectorBatchRow).count() == 0


def test_records_and_answers_survive_a_restart(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_copy(trained, folder) as model:
        database = Database(model, "kept")
        database.add(*({"plan": "pro", "age": age} for age in range(20, 60)))
        database.post("remove", records=[{"plan": "pro", "age": 33}])
        before = database.search({"age": 33}, 100)
        assert len(before) == 39
    with running(Settings(data_dir=folder, api_key=KEY)) as server:
        database.http = server.http
        assert database.search({"age": 33}, 100) == before
        assert database.size() == 39


_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_JSON = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_RECORDS = st.dictionaries(
    st.sampled_from(["plan", "age", "price", "note", "", "x"]) | st.text(), _JSON
)


@given(st.lists(_RECORDS | _JSON, max_size=4) | _JSON)
@fuzz_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_records_are_added_as_they_are_or_refused(model: Trained, records: Any) -> None:
    database = Database(model, "fuzz")
    database.http.delete(database.path)
    database = Database(model, "fuzz")
    answer = database.http.post(
        f"{database.path}/records", content=json.dumps({"records": records}), headers=JSON
    )
    if answer.status_code != 200:
        assert_envelope(answer, 422, "invalid_input")
        assert database.size() == 0
        return
    assert answer.json() == {"records_added": len(records), "record_count": len(records)}
    stored = sorted(database.search(PRO, 10), key=lambda hit: hit["id"])
    assert [hit["record"] for hit in stored] == [_without_nan(record) for record in records]
    assert database.post("remove", records=[hit["record"] for hit in stored]).json() == {
        "records_removed": len(records),
        "record_count": 0,
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list) else value
