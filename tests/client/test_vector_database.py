"""Vector databases and reference records, on the real embedded server."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests

from featrix_client import FeatrixSphere, FoundationalModel, ReferenceRecord, VectorDatabase
from tests.client.scripted import Answer, Request

GOLD = {"age": 70, "plan": "gold", "spend": 81.5}


@pytest.fixture(scope="module")
def fm(server_home, people) -> FoundationalModel:
    """A trained model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATRIX_HOME", str(server_home))
        sphere = FeatrixSphere("local")
    fm = sphere.create_foundational_model(name="vectors", df=people(300), epochs=2)
    with pytest.raises(requests.HTTPError) as caught:
        fm.create_vector_database("too early")
    assert caught.value.status == 409
    return fm.wait_for_training(max_wait_time=280, show_progress=False)


def test_a_database_from_its_making_to_its_end(fm, featrix, people):
    vdb = fm.create_vector_database()
    assert isinstance(vdb, VectorDatabase)
    assert (vdb.name, vdb.session_id, vdb.size()) == ("default", fm.id, 0)
    assert vdb.similarity_search(GOLD) == []
    rows = people(1234, seed=3)
    assert vdb.add_records(rows) == 1234
    assert vdb.add_records([GOLD, GOLD], batch_size=1) == vdb.size() == 1236
    found = vdb.similarity_search(GOLD, k=3)
    assert [hit["record"] for hit in found[:2]] == [GOLD, GOLD]
    assert [hit["similarity"] for hit in found[:2]] == [1, 1]
    assert -1 <= found[2]["similarity"] < 1
    keys = {"id", "similarity", "distance", "record", "original_data", "field_similarity"}
    assert found[2].keys() == keys
    assert set(found[2]["record"]) == {"age", "plan", "spend"}
    young = vdb.similarity_search(GOLD, k=5000, where="age < 30 AND plan = 'gold'")
    assert 0 < len(young) < 300
    assert all(hit["record"]["age"] < 30 for hit in young)
    assert vdb.remove_records([found[0]["id"], found[2]["record"]]) >= 2
    assert vdb.remove_records(GOLD) == 1
    assert vdb.remove_records([]) == 0
    again = featrix.vector_database(fm.id)
    assert repr(again) == repr(vdb)
    assert again.similarity_search({"plan": "gold"}, 1)[0]["record"]["plan"] == "gold"
    assert again.refresh()["index"] == {"kind": "exact", "recall_at_10": 1.0}
    vdb.delete()
    with pytest.raises(requests.HTTPError) as caught:
        vdb.add_records([GOLD])
    assert caught.value.status == 404


def test_records_to_begin_with_and_several_databases(fm, featrix, people):
    frame = people(40, seed=9)
    first = fm.create_vector_database("first & one", frame)
    second = fm.create_vector_database("second", [GOLD])
    assert (first.size(), second.size()) == (40, 1)
    assert featrix.vector_database(fm.id).name == "second"
    assert featrix.vector_database(fm.id, "first & one").size() == 40
    assert fm.create_vector_database("second").size() == 1  # the one there is
    with pytest.raises(ValueError, match=r"'second' with 1 records already(.|\n)*delete\(\)"):
        fm.create_vector_database("second", [GOLD])
    with pytest.raises(ValueError, match="Record 1 is a int"):
        fm.create_vector_database("third", [GOLD, 3])
    with pytest.raises(ValueError, match=r"records\.501 has none of the model's columns"):
        fm.create_vector_database("third", [GOLD] * 501 + [{"shoe": 44}])
    with pytest.raises(requests.HTTPError):
        featrix.vector_database(fm.id, "third")
    for one in (first, second):
        one.delete()
    with pytest.raises(requests.HTTPError, match="has no vector database") as caught:
        featrix.vector_database(fm.id)
    assert caught.value.status == 404
    with pytest.raises(requests.HTTPError):
        featrix.vector_database("nobody")


def test_unusual_values_are_kept_as_plain_ones(fm):
    vdb = fm.create_vector_database("unusual")
    record = {"age": np.float32(50), "plan": "gold", "spend": np.nan, "seen": pd.Timestamp(0)}
    vdb.add_records([record | {"list": np.arange(2), "n": np.int64(3), "flag": np.True_}])
    (found,) = vdb.similarity_search(record)
    assert found["record"] == {
        "age": 50.0,
        "plan": "gold",
        "spend": None,
        "seen": "1970-01-01T00:00:00",
        "list": [0, 1],
        "n": 3,
        "flag": True,
    }
    assert [type(found["record"][name]) for name in ("age", "n", "flag")] == [float, int, bool]
    assert vdb.remove_records(found["record"]) == 1
    vdb.delete()


def test_encode_is_the_models(fm):
    vdb = fm.create_vector_database("encoding")
    assert vdb.encode([GOLD]) == fm.encode([GOLD])
    assert vdb.encode(GOLD, short=True)[0].keys() == {"embedding"}
    vdb.delete()


def test_a_reference_finds_its_like_among_the_training_rows(fm, people):
    table = people(300)
    ref = fm.create_reference_record({"age": 25, "plan": "basic"}, name="young and cheap")
    assert isinstance(ref, ReferenceRecord)
    assert (ref.name, ref.record) == ("young and cheap", {"age": 25, "plan": "basic"})
    found = ref.find_similar(5)
    assert len(found) == 5
    scores = [hit["similarity"] for hit in found]
    assert scores == sorted(scores, reverse=True)
    for hit in found:
        row = table.iloc[hit["id"]]
        assert (hit["record"]["plan"], hit["record"]["spend"]) == (row["plan"], row["spend"])
        assert hit["record"]["plan"] == "basic"
    whole = fm.create_reference_record(table.iloc[17])
    assert whole.find_similar(1)[0]["similarity"] == 1
    assert whole.get_embedding() == fm.encode([table.iloc[17].to_dict()])[0]["embedding_long"]
    assert len(whole.get_embedding()) == fm.dimensions


def test_a_reference_finds_its_like_in_a_database(fm):
    rows = [{"age": age, "plan": plan} for age in (20, 40, 60) for plan in ("gold", "basic")]
    vdb = fm.create_vector_database("haystack", rows)
    ref = fm.create_reference_record({"age": 60, "plan": "gold"})
    found = ref.find_similar(vector_database=vdb)
    assert len(found) == 6
    assert (found[0]["record"], found[0]["similarity"]) == ({"age": 60, "plan": "gold"}, 1)
    # What the reference does not say is masked, so it does not pull towards "no value".
    masked = fm.create_reference_record({"plan": "gold"}).get_embedding()
    unknown = fm.create_reference_record({"plan": "gold", "age": None}).get_embedding()
    assert masked != unknown
    vdb.delete()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda vdb: vdb.similarity_search([GOLD]), "query must be a dict"),
        (lambda vdb: vdb.similarity_search(GOLD, k=0), "k must be a whole number"),
        (lambda vdb: vdb.similarity_search(GOLD, k=True), "k must be a whole number"),
        (lambda vdb: vdb.similarity_search({"shoe": 44}), "none of the model's columns"),
        (lambda vdb: vdb.similarity_search(GOLD, where="age = 1; DROP"), "character 8 stands ';'"),
        (lambda vdb: vdb.add_records("gold"), "records must be a list"),
        (lambda vdb: vdb.add_records([GOLD], batch_size=0), "batch_size must be"),
        (lambda vdb: vdb.add_records([GOLD, {}]), r"records\.1 has none"),
        (lambda vdb: vdb.remove_records("gold"), "records must be a list"),
        (lambda vdb: vdb.remove_records([1, "gold"]), "Record 0 is a str"),
        (lambda vdb: vdb.remove_records(3.5), "records must be a list"),
    ],
)
def test_what_cannot_be_is_refused(fm, call, says):
    vdb = fm.create_vector_database("refusing")
    with pytest.raises(ValueError, match=says):
        call(vdb)
    assert vdb.size() == 0


@pytest.mark.parametrize("name", ["", "  ", "..", "a/b", 7, "x" * 300])
def test_bad_names_are_refused(fm, name):
    with pytest.raises(ValueError, match="name"):
        fm.create_vector_database(name)


def test_the_signatures_are_those_of_the_reference():
    def names(function: Any) -> dict[str, Any]:
        given = inspect.signature(function).parameters.values()
        return {p.name: p.default for p in given if p.name != "self" and p.kind != p.KEYWORD_ONLY}

    empty = inspect.Parameter.empty
    model, vdb = FoundationalModel, VectorDatabase
    assert names(model.create_vector_database) == {"name": None, "records": None}
    assert names(model.create_reference_record) == {"record": empty, "name": None}
    assert names(vdb.add_records) == {"records": empty, "batch_size": 500}
    assert names(vdb.similarity_search) == {"query": empty, "k": 10}
    assert names(ReferenceRecord.find_similar) == {"k": 10, "vector_database": None}
    assert next(iter(names(FeatrixSphere.vector_database))) == "foundational_model_id"


def test_a_server_of_other_words_is_understood(serve):
    """The hosted service names its results otherwise, and knows no route for its own rows."""
    hit = {"distance": 0.25, "original_data": GOLD, "field_similarity": {}}
    place = {"embedding": [0, 0, 1], "embedding_long": [1.0]}

    def script(request: Request) -> Answer:
        route = request.path.removeprefix("/compute/session/m-1")
        answers = {
            "": {"session": {"session_id": "m-1", "status": "done"}, "jobs": {}},
            "/encode_records": {"results": [place]},
            "/vector_databases": {"name": "default", "record_count": 0},
            "/vector_databases/default/search": {"results": [dict(hit)]},
            "/vector_databases/default/records": {"records_added": 1},
            "/vector_databases/default/size": {"size": 7},
        }
        known = route in answers
        return Answer(answers[route]) if known else Answer({"error": "no such thing"}, 404)

    fm = FeatrixSphere(serve(script).url).foundational_model("m-1")
    vdb = fm.create_vector_database()
    assert vdb.add_records([GOLD]) == 7
    expected = [hit | {"similarity": 0.75, "record": GOLD}]
    assert vdb.similarity_search(GOLD) == expected
    assert fm.create_reference_record(GOLD).find_similar() == expected


def test_a_batch_whose_answer_is_lost_is_sent_again_with_the_same_key(serve):
    keys: list[str] = []

    def script(request: Request) -> Answer:
        if request.path.endswith("/records"):
            keys.append(request.headers["X-Featrix-Idempotency-Key"])
            return Answer(hang_up=len(keys) == 1) if len(keys) < 2 else Answer({"record_count": 9})
        return Answer({"name": "default", "session": {"status": "done"}, "jobs": {}})

    vdb = FeatrixSphere(serve(script).url).foundational_model("m").create_vector_database()
    assert vdb.add_records([GOLD, GOLD], batch_size=1) == 9
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]
