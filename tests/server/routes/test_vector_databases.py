"""Vector databases over HTTP: making, filling, searching, removing, and what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from featrix_server.db import VectorDatabaseRow, VectorRecordRow

from .conftest import Trained, running_copy
from .databases import PRO, Database
from .test_gate import assert_envelope

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def model(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A trained model of its own, for databases of different names."""
    with running_copy(trained, tmp_path_factory.mktemp("vectors") / "data") as copy:
        yield copy


def test_a_database_is_made_once_and_found_by_name(model: Trained) -> None:
    made = Database(model, "once").created
    assert (made["name"], made["record_count"], made["auto_populated"]) == ("once", 0, False)
    assert made["index"] == {"kind": "exact", "recall_at_10": 1.0}
    database = Database(model, "once")
    database.add(PRO)
    again = Database(model, "once").created
    assert again == made | {"record_count": 1}
    assert model.get("/vector_databases/once").json() == again
    Database(model, "later")
    listed = [one["name"] for one in model.get("/vector_databases").json()["vector_databases"]]
    assert listed.index("later") < listed.index("once")


def test_records_come_back_as_they_went_in(model: Trained) -> None:
    database = Database(model, "types")
    record = {
        "plan": "pro",
        "age": 30,
        "price": None,
        "big": 2**70,
        "ratio": 1.0,
        "flag": True,
        "text": "Zoë 'x' <b>\u0000\u2028",
        "list": [1, [2.5, None], {"a": "b"}],
        "nested": {"k": {"l": False}},
        "": "no name",
    }
    assert database.add(record, {"age": 80}) == {"records_added": 2, "record_count": 2}
    first, second = database.search(record)
    assert set(first) >= {"distance", "similarity", "original_data", "record", "field_similarity"}
    assert first["record"] == first["original_data"] == record
    assert [type(value) for value in first["record"].values()] == [*map(type, record.values())]
    assert (first["similarity"], first["distance"]) == (1, 0)
    assert first["field_similarity"] == {"plan": 1, "age": 1}
    assert second["field_similarity"].keys() == {"age"}
    assert first["id"] < second["id"]
    assert second["similarity"] < 1


def test_the_nearest_come_first_and_are_the_nearest(model: Trained) -> None:
    database = Database(model, "order")
    rows = [{"plan": p, "age": a} for p in ("basic", "plus", "pro") for a in range(20, 70, 5)]
    database.add(*rows)
    query = {"plan": "plus", "age": 41}
    found = database.search(query, 7)
    encoded = model.server.http.post(
        f"{model.path}/encode_records", json={"records": [*rows, query]}
    ).json()["results"]
    vectors = np.array([one["embedding_long"] for one in encoded])
    cosines = vectors[:-1] @ vectors[-1]
    nearest = np.argsort(-cosines)[:7]
    assert [hit["record"] for hit in found] == [rows[place] for place in nearest]
    assert [hit["similarity"] for hit in found] == pytest.approx(cosines[nearest], abs=2e-6)
    assert all(hit["distance"] == pytest.approx(1 - hit["similarity"]) for hit in found)
    everything = database.search(query, 10**12)
    assert len(everything) == 30
    assert everything[:7] == found
    assert [hit["field_similarity"] for hit in database.search(query, 1)] == [
        {"plan": 1.0, "age": found[0]["field_similarity"]["age"]}
    ]
    bare = database.search(query, 3, include_field_similarity=False)
    assert [hit["field_similarity"] for hit in bare] == [None] * 3


def test_columns_that_are_expected_to_miss_do_not_count(model: Trained) -> None:
    database = Database(model, "missing")
    database.add({"plan": "pro", "age": 30}, {"plan": "basic", "age": 70})
    query = {"plan": "pro", "age": 70}
    masked = database.search(query, expected_missing=["plan", "no such column"])
    assert [hit["similarity"] for hit in masked] == [
        hit["similarity"] for hit in database.search({"age": 70})
    ]
    assert masked[0]["field_similarity"].keys() == {"age"}
    encode = f"{model.path}/encode_records"
    body = {"records": [query], "expected_missing": ["plan"]}
    (one,) = model.server.http.post(encode, json=body).json()["results"]
    (other,) = model.server.http.post(encode, json={"records": [{"age": 70}]}).json()["results"]
    assert one["embedding_long"] == other["embedding_long"]


def test_an_empty_database_finds_nothing(model: Trained) -> None:
    database = Database(model, "empty")
    assert database.search(PRO) == []
    assert database.search(PRO, where="age > 3") == []
    assert database.add() == {"records_added": 0, "record_count": 0}
    assert database.size() == 0


def test_equal_records_may_be_there_several_times_and_go_together(model: Trained) -> None:
    database = Database(model, "equal")
    other = PRO | {"age": 31}
    database.add(PRO, PRO, other)
    database.add(PRO | {"age": 30.0})
    assert [hit["record"] for hit in database.search(PRO, 3)] == [PRO] * 3
    gone = database.post("remove", records=[dict(reversed(PRO.items())), {"age": 99}])
    assert gone.json() == {"records_removed": 3, "record_count": 1}
    assert [hit["record"] for hit in database.search(PRO)] == [other]


def test_records_are_removed_by_id(model: Trained) -> None:
    database = Database(model, "ids")
    neighbour = Database(model, "ids-of-another")
    neighbour.add(PRO)
    database.add(*({"age": age} for age in range(20, 40)))
    found = database.search({"age": 25}, 5)
    ids = [hit["id"] for hit in found[1:4]]
    foreign = neighbour.search(PRO)[0]["id"]
    gone = database.post("remove", ids=[*ids, ids[0], foreign, 2**62]).json()
    assert gone == {"records_removed": 3, "record_count": 17}
    left = database.search({"age": 25}, 100)
    assert len(left) == 17
    assert not {hit["id"] for hit in left} & set(ids)
    assert neighbour.size() == 1
    database.add({"age": 25})
    newest = max(hit["id"] for hit in database.search({"age": 25}, 100))
    assert newest > max(hit["id"] for hit in left)
    assert database.post("remove").json() == {"records_removed": 0, "record_count": 18}


def test_a_filter_chooses_what_is_searched(model: Trained) -> None:
    database = Database(model, "filter")
    rows = [{"plan": p, "age": a, "own": a % 7} for p in ("basic", "pro") for a in range(20, 60)]
    database.add(*rows)
    for where, holds in (
        (
            "plan = 'basic' AND age BETWEEN 30 AND 35",
            lambda r: r["plan"] == "basic" and 30 <= r["age"] <= 35,
        ),
        ("own = 3 OR own = 4", lambda r: r["own"] in (3, 4)),
        ("age > 1000", lambda _: False),
    ):
        hits = database.search({"plan": "pro", "age": 33}, 200, where=where)
        expected = [row for row in rows if holds(row)]
        assert len(hits) == len(expected)
        assert all(holds(hit["record"]) for hit in hits)
        scores = [hit["similarity"] for hit in hits]
        assert scores == sorted(scores, reverse=True)
    # What comes and goes is chosen from too, by a filter that was asked before.
    where, query = "own = 3 OR own = 4", {"plan": "pro", "age": 33}
    before = database.search(query, 200, where=where)
    database.add({"plan": "pro", "age": 33, "own": 3}, {"plan": "pro", "age": 33, "own": 5})
    database.post("remove", ids=[before[0]["id"]])
    after = [hit["id"] for hit in database.search(query, 200, where=where)]
    assert len(after) == len(before)
    assert set(after) > {hit["id"] for hit in before[1:]}


@pytest.mark.parametrize(
    "where",
    [
        "age = 30; DROP TABLE vector_records",
        "1=1) UNION SELECT key FROM secrets --",
        "age IN (SELECT id FROM sessions)",
        "read_text('/etc/passwd') IS NOT NULL",
        "nobody = 1",
        "age > \ud800",
        "x" * 20_000,
    ],
)
def test_what_is_no_filter_is_refused(model: Trained, where: str) -> None:
    database = Database(model, "injection")
    if not database.size():
        database.add(PRO)
    answer = database.http.post(
        f"{database.path}/search",
        content=json.dumps({"query_record": PRO, "where": where}),
        headers=JSON,
    )
    assert_envelope(answer, 422, "invalid_input")
    assert answer.json()["field"] == "where"
    assert database.size() == 1


@pytest.mark.parametrize(
    ("records", "field"),
    [
        ("no list", "records"),
        ([PRO, 3], "records.1"),
        ([PRO, None], "records.1"),
        ([[1]], "records.0"),
        ([PRO, {}], "records.1"),
        ([PRO, PRO, {"shoe": 44}], "records.2"),
        (
            [PRO | {"deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}],
            "records.0",
        ),
    ],
)
def test_a_bad_record_is_named_and_its_batch_left_out(
    model: Trained, records: Any, field: str
) -> None:
    database = Database(model, "bad")
    answer = database.post("records", records=records)
    assert_envelope(answer, 422, "invalid_input")
    assert answer.json()["field"] == field
    assert field in answer.json()["error"]
    assert database.size() == 0


def test_half_a_surrogate_pair_becomes_a_question_mark(model: Trained) -> None:
    database = Database(model, "surrogates")
    http, path = database.http, database.path
    record = b'{"age": 2, "note": "\\ud800", "\\udfff": 1}'
    added = http.post(f"{path}/records", content=b'{"records": [%s]}' % record, headers=JSON)
    assert added.json() == {"records_added": 1, "record_count": 1}
    found = http.post(f"{path}/search", content=b'{"query_record": %s}' % record, headers=JSON)
    assert found.json()["results"][0]["record"] == {"age": 2, "note": "?", "?": 1}
    gone = http.post(f"{path}/remove", content=b'{"records": [%s]}' % record, headers=JSON)
    assert gone.json() == {"records_removed": 1, "record_count": 0}


@pytest.mark.parametrize("k", [0, -1, "many", 1.5, None])
def test_a_bad_k_is_refused(model: Trained, k: Any) -> None:
    answer = Database(model, "bad").post("search", query_record=PRO, k=k)
    assert_envelope(answer, 422, "invalid_input")
    assert answer.json()["field"] == "k"


@pytest.mark.parametrize("name", ["", "a/b", "..", " x", "x\n", "\\", "x" * 201, 7])
def test_a_bad_name_is_refused(model: Trained, name: Any) -> None:
    answer = model.server.http.post(f"{model.path}/vector_databases", json={"name": name})
    assert_envelope(answer, 422, "invalid_input")
    assert answer.json()["field"] == "name"


def test_what_is_not_there_is_said_to_be_missing(model: Trained) -> None:
    http, path = model.server.http, f"{model.path}/vector_databases/nobody"
    for answer in (
        http.get(path),
        http.get(f"{path}/size"),
        http.delete(path),
        http.post(f"{path}/records", json={"records": [PRO]}),
        http.post(f"{path}/remove", json={"ids": [1]}),
        http.post(f"{path}/search", json={"query_record": PRO}),
        http.get("/compute/session/nobody/vector_databases"),
        http.post("/compute/session/nobody/vector_databases", json={}),
    ):
        assert_envelope(answer, 404, "not_found")


def test_an_untrained_model_has_to_be_waited_for(server: Any) -> None:
    path = server.create()
    assert_envelope(server.http.post(f"{path}/vector_databases"), 409, "not_ready")
    assert_envelope(
        server.http.post(f"{path}/similar_rows", json={"query_record": PRO}), 409, "not_ready"
    )


def test_the_rows_of_the_table_are_searched_without_a_database(model: Trained) -> None:
    def ask(route: str, **more: Any) -> list[dict[str, Any]]:
        body = {"query_record": {"plan": "pro", "age": 40}, "k": 5} | more
        answer = model.server.http.post(f"{model.path}/{route}", json=body)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    found = ask("similar_rows")
    assert [hit["similarity"] for hit in found] == sorted(
        (hit["similarity"] for hit in found), reverse=True
    )
    row = found[0]["record"]
    assert set(row) == {"plan", "age", "price", "note"}
    same = ask("similar_rows", query_record=row, k=1)[0]
    assert (same["similarity"], same["record"]) == (1, row)
    assert len(ask("similar_rows", k=1000)) == 200
    filtered = ask("similar_rows", k=1000, where="plan = 'basic' AND age > 60")
    assert filtered
    assert all(hit["record"]["plan"] == "basic" for hit in filtered)
    # For clients that know the rows only as the database `default`, as long as there is none.
    assert ask("vector_databases/default/search") == found
    about = model.get("/vector_databases/default").json()
    assert (about["record_count"], about["auto_populated"]) == (200, True)
    assert "default" not in [
        one["name"] for one in model.get("/vector_databases").json()["vector_databases"]
    ]
    nothing = model.server.http.post(
        f"{model.path}/vector_databases/default/records", json={"records": [PRO]}
    )
    assert_envelope(nothing, 404, "not_found")
    points = model.get("/projections", limit=200).json()["projections"]["coords"]
    point = points[found[0]["id"]]
    assert point["scalar_columns"]["age"] == row["age"]


def test_a_database_may_begin_with_the_rows_of_the_table(model: Trained) -> None:
    database = Database(model, "rows", auto_populate=True)
    assert database.created["record_count"] == 200
    assert database.created["auto_populated"] is True
    assert Database(model, "rows", auto_populate=True).created == database.created
    hit = database.search({"plan": "pro", "age": 40}, 1)[0]
    body = {"query_record": {"plan": "pro", "age": 40}, "k": 1}
    row = model.server.http.post(f"{model.path}/similar_rows", json=body).json()["results"][0]
    assert hit["record"] == row["record"]
    assert database.post("remove", records=[hit["record"]]).json()["records_removed"] >= 1
    left = database.size()
    assert left < 200
    assert Database(model, "rows", auto_populate=True).created["record_count"] == left
    assert Database(model, "rows").created["auto_populated"] is True


def test_filling_with_the_table_goes_on_where_it_was_interrupted(
    model: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featrix_server.vector_records._PAGE", 60)
    database = Database(model, "half", auto_populate=True)
    with model.server.context.database.write() as session:  # as a killed server leaves it
        row = session.query(VectorDatabaseRow).filter_by(name="half").one()
        page = session.query(VectorRecordRow).filter_by(database_id=row.id).order_by("id").all()
        for record in page[60:]:
            session.delete(record)
        row.populated_rows = row.record_count = 60
        row.last_id = page[59].id
    sizes = []
    threads = [threading.Thread(target=lambda: sizes.append(database.size())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [200] * 4
    assert len(database.search(PRO, 1000)) == 200
