"""Endpoints: who gets in, what is counted, and that keys stay secret."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from featrix_server import endpoints as endpoints_module
from featrix_server.store import predictor_folder

from .conftest import KEY
from .predicting import ROW, Asked
from .test_gate import assert_envelope


@pytest.fixture(scope="module")
def own(asked: Asked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """The predictors on a server of its own."""
    with asked.copy(tmp_path_factory.mktemp("endpoints") / "data") as own:
        yield own


def make(own: Asked, target: str = "plan", **more: Any) -> dict[str, Any]:
    made = own.made[target]
    body = {name: made[name] for name in ("session_id", "predictor_id")}
    answer = own.model.server.http.post("/endpoints", json={"name": "Production", **body, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def call(
    own: Asked, endpoint: dict[str, Any], key: str | None, record: Any = ROW, **headers: str
) -> httpx.Response:
    """Predict as somebody would who has nothing but an address and perhaps a key."""
    sent = headers | ({} if key is None else {"X-API-Key": key})
    url = f"{own.model.server.http.base_url}/endpoint/{endpoint['id']}/predict"
    with httpx.Client(trust_env=False, timeout=60) as http:
        return http.post(url, json={"query_record": record}, headers=sent)


def manage(own: Asked, endpoint: dict[str, Any], action: str = "", **body: Any) -> httpx.Response:
    path = f"/endpoints/{endpoint['id']}"
    if action:
        return own.model.server.http.post(f"{path}/{action}", json=body)
    return own.model.server.http.get(path)


def stats(own: Asked, endpoint: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = own.model.server.http.get(f"/endpoints/{endpoint['id']}/stats").json()
    return found


def test_an_endpoint_answers_as_its_predictor_does(own: Asked) -> None:
    endpoint = make(own, description="For the shop.")
    assert endpoint["predict_url"].endswith(f"/endpoint/{endpoint['id']}/predict")
    assert (endpoint["name"], endpoint["target_column"]) == ("Production", "plan")
    assert (endpoint["has_api_key"], endpoint["usage_count"]) == (True, 0)
    answer = call(own, endpoint, endpoint["api_key"], **{"X-Featrix-Customer-Metadata": '{"a":1}'})
    expected = own.predict("plan", ROW)
    assert answer.json()["probabilities"] == expected["probabilities"]
    assert set(answer.json()) == set(expected)
    logged = own.log.find(answer.json()["prediction_uuid"])
    assert logged is not None
    assert (logged.endpoint_id, logged.customer_metadata) == (endpoint["id"], {"a": 1})


def test_keys_are_long_random_and_told_to_their_owner_again(own: Asked) -> None:
    made = [make(own) for _ in range(20)]
    assert len({one["api_key"] for one in made}) == 20
    for one in made:
        secret = one["api_key"].removeprefix("fx_endpoint_")
        assert re.fullmatch(r"[\w-]{43}", secret)  # 256 bits
    assert manage(own, made[0]).json()["api_key"] == made[0]["api_key"]
    listed = own.model.server.http.get("/endpoints").json()["endpoints"]
    assert [one["id"] for one in listed[:20]] == [one["id"] for one in made[::-1]]
    assert all(one["api_key"] is None and one["has_api_key"] for one in listed[:20])


def test_only_the_right_key_opens(own: Asked, caplog: pytest.LogCaptureFixture) -> None:
    endpoint, other = make(own), make(own)
    key = endpoint["api_key"]
    with caplog.at_level(logging.DEBUG):
        for wrong in (None, "", key[:-1], key + "x", key.swapcase(), other["api_key"], "schlüssel"):
            given = wrong if wrong is None else wrong.encode()
            refused = call(own, endpoint, given)  # type: ignore[arg-type]  # also what is no ASCII
            assert_envelope(refused, 401, "unauthorized")
        assert call(own, endpoint, None, Authorization=f"Bearer {key}").status_code == 200
        assert call(own, endpoint, KEY).status_code == 200  # the server's own
        assert call(own, {"id": "none"}, key).status_code == 401
        assert call(own, {"id": "none"}, KEY).status_code == 404
        assert call(own, {"id": "../endpoints"}, key).status_code in (401, 404)
    assert stats(own, endpoint)["usage_count"] == 2
    assert key not in caplog.text


def test_an_endpoints_key_opens_nothing_else(own: Asked) -> None:
    endpoint = make(own)
    headers = {"X-Api-Key": endpoint["api_key"]}
    base_url = own.model.server.http.base_url
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as http:
        for path in (
            "/endpoints",
            f"/endpoints/{endpoint['id']}",
            f"/endpoints/{endpoint['id']}/stats",
            f"/endpoint/{endpoint['id']}",
            f"/endpoint/{endpoint['id']}/predict/..",
            f"/endpoint/{endpoint['id']}/predict/",
            "/compute/sessions-for-org",
            own.model.path,
            "/openapi.json",
        ):
            assert_envelope(http.get(path), 401, "unauthorized")
        assert_envelope(http.delete(f"/endpoints/{endpoint['id']}"), 401, "unauthorized")


def test_keys_are_compared_in_constant_time(own: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = make(own)
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(endpoints_module, "hmac", hmac_with(compare))
    call(own, endpoint, "wrong")
    digest = hashlib.sha256(endpoint["api_key"].encode()).hexdigest()
    assert compared == [(hashlib.sha256(b"wrong").hexdigest(), digest)]


def hmac_with(compare: Any) -> Any:
    """Return the module `hmac` with another comparison."""
    return type("hmac", (), {"compare_digest": staticmethod(compare), "digest": hmac.digest})


def test_no_file_of_the_server_holds_a_key(own: Asked) -> None:
    endpoint = make(own)
    manage(own, endpoint)
    call(own, endpoint, endpoint["api_key"])
    folder = own.model.server.settings.data_dir
    secret = folder / endpoints_module.SECRET_FILE
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        assert endpoint["api_key"].encode() not in content, path
        assert path == secret or secret.read_bytes().strip() not in content, path


def test_without_the_secret_keys_still_open_but_are_not_told(own: Asked, tmp_path: Path) -> None:
    endpoint = make(own)
    secret = own.model.server.settings.data_dir / endpoints_module.SECRET_FILE
    kept = secret.read_bytes()
    try:
        secret.unlink()
        assert call(own, endpoint, endpoint["api_key"]).status_code == 200
        assert manage(own, endpoint).json()["api_key"] is None
    finally:
        secret.write_bytes(kept)


def test_a_key_of_ones_own(own: Asked) -> None:
    key = "x" * 43
    endpoint = make(own, api_key=key)
    assert endpoint["api_key"] == key
    assert call(own, endpoint, key).status_code == 200
    assert manage(own, endpoint).json()["api_key"] is None
    made = own.made["plan"]
    for weak in ("", "short", "x" * 42, "x" * 50 + " ", "x" * 300):
        body = {**made, "name": "p", "api_key": weak}
        told = assert_envelope(
            own.model.server.http.post("/endpoints", json=body), 422, "invalid_input"
        )
        assert told["field"] == "api_key"


def test_a_new_key_ends_the_old_one_at_once(own: Asked) -> None:
    endpoint = make(own)
    renewed = manage(own, endpoint, "regenerate_key").json()
    assert renewed["api_key"] != endpoint["api_key"]
    assert_envelope(call(own, endpoint, endpoint["api_key"]), 401, "unauthorized")
    assert call(own, endpoint, renewed["api_key"]).status_code == 200
    assert renewed["api_key_created_at"] > endpoint["api_key_created_at"]


def test_a_revoked_endpoint_answers_nobody(own: Asked) -> None:
    endpoint = make(own)
    revoked = manage(own, endpoint, "revoke_key").json()
    assert (revoked["has_api_key"], revoked["api_key"]) == (False, None)
    for key in (endpoint["api_key"], KEY, "anything"):
        assert_envelope(call(own, endpoint, key), 403, "endpoint_disabled")
    assert_envelope(call(own, endpoint, None), 401, "unauthorized")
    assert manage(own, endpoint).json()["api_key"] is None
    assert stats(own, endpoint)["usage_count"] == 0
    renewed = manage(own, endpoint, "regenerate_key").json()
    assert call(own, endpoint, renewed["api_key"]).status_code == 200


def test_a_public_endpoint_answers_everybody(own: Asked) -> None:
    endpoint = make(own)
    public = manage(own, endpoint, "revoke_key", make_public=True).json()
    assert (public["is_public"], public["has_api_key"]) == (True, False)
    for key in (None, "anything", endpoint["api_key"]):
        assert call(own, endpoint, key).status_code == 200
    renewed = manage(own, endpoint, "regenerate_key").json()
    assert not renewed["is_public"]
    assert_envelope(call(own, endpoint, None), 401, "unauthorized")


def test_a_deleted_endpoint_is_gone(own: Asked) -> None:
    endpoint = make(own)
    path = f"/endpoints/{endpoint['id']}"
    assert own.model.server.http.delete(path).json()["deleted"]
    for key in (endpoint["api_key"], KEY):
        assert_envelope(call(own, endpoint, key), 404, "not_found")
    assert_envelope(call(own, endpoint, "wrong"), 401, "unauthorized")
    assert_envelope(own.model.server.http.delete(path), 404, "not_found")
    assert_envelope(manage(own, endpoint), 404, "not_found")
    for action in ("regenerate_key", "revoke_key"):
        assert_envelope(manage(own, endpoint, action), 404, "not_found")
    listed = own.model.server.http.get("/endpoints").json()["endpoints"]
    assert endpoint["id"] not in [one["id"] for one in listed]


def test_only_calls_that_were_let_in_are_counted(own: Asked) -> None:
    endpoint = make(own)
    nothing = stats(own, endpoint)
    assert (nothing["usage_count"], nothing["avg_latency_ms"]) == (0, None)
    assert (nothing["last_used_at"], nothing["by_day"]) == (None, {})
    good = call(own, endpoint, endpoint["api_key"])
    assert_envelope(call(own, endpoint, "wrong"), 401, "unauthorized")
    assert_envelope(call(own, endpoint, endpoint["api_key"], "text"), 422, "invalid_input")
    assert_envelope(call(own, endpoint, endpoint["api_key"], {"shoe": 1}), 422, "invalid_input")
    own.predict("plan", ROW)
    found = stats(own, endpoint)
    assert (found["usage_count"], found["error_count"]) == (2, 1)
    assert found["avg_latency_ms"] > 0
    assert list(found["by_day"].values()) == [2]
    logged = own.log.find(good.json()["prediction_uuid"])
    assert logged is not None
    assert found["last_used_at"] > logged.created_at.isoformat()
    assert manage(own, endpoint).json()["usage_count"] == 2


def test_a_crash_of_the_predictor_is_counted_and_logged(
    own: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, made = make(own, "price"), own.made["price"]
    own.predict("price", ROW)
    context = own.model.server.context
    folder = context.store.folder(made["session_id"])
    model = context.models.predictor(predictor_folder(folder, made["predictor_id"]), folder)

    def crash(*_: Any, **__: Any) -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr(model, "predict", crash)
    assert_envelope(call(own, endpoint, endpoint["api_key"]), 500, "internal")
    monkeypatch.undo()
    (last,) = own.log.recent(made["predictor_id"], 1)
    assert (last.record, last.error) == (ROW, "the server failed (MemoryError)")
    assert call(own, endpoint, endpoint["api_key"]).status_code == 200
    found = stats(own, endpoint)
    assert (found["usage_count"], found["error_count"]) == (2, 1)


def test_counts_are_exact_when_many_call_at_once(own: Asked) -> None:
    endpoints = [make(own), make(own, "price")]

    def work(number: int) -> int:
        endpoint = endpoints[number % 2]
        key = "wrong" if number % 5 == 0 else endpoint["api_key"]
        return call(own, endpoint, key).status_code

    with ThreadPoolExecutor(16) as threads:
        codes = list(threads.map(work, range(200)))
    for place, endpoint in enumerate(endpoints):
        found = stats(own, endpoint)
        assert found["usage_count"] == codes[place::2].count(200) == 80
        assert sum(found["by_day"].values()) == 80


def test_an_endpoint_that_is_asked_too_often_says_when_to_come_back(own: Asked) -> None:
    endpoint = make(own, requests_per_minute=3)
    key = endpoint["api_key"]
    answers = [call(own, endpoint, key) for _ in range(5)]
    assert [one.status_code for one in answers] == [200] * 3 + [429] * 2
    assert_envelope(answers[-1], 429, "rate_limited")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
    assert_envelope(call(own, endpoint, "wrong"), 401, "unauthorized")
    assert stats(own, endpoint)["usage_count"] == 3
    assert call(own, make(own), key).status_code == 401  # each has a limit of its own


def test_the_server_can_limit_all_endpoints(asked: Asked, tmp_path: Path) -> None:
    with asked.copy(tmp_path / "data", endpoint_requests_per_minute=2) as own:
        plain, generous = make(own), make(own, requests_per_minute=100)
        for endpoint, allowed in ((plain, 2), (generous, 4)):
            codes = [call(own, endpoint, endpoint["api_key"]).status_code for _ in range(4)]
            assert codes.count(200) == allowed


def test_bad_wishes_make_no_endpoint(own: Asked) -> None:
    before = own.model.server.http.get("/endpoints").json()
    made = own.made["plan"]
    for wish, status in (
        ({"predictor_id": "none"}, 404),
        ({"session_id": "none"}, 404),
        ({"predictor_id": own.made["price"]["predictor_id"] + "x"}, 404),
        ({"name": ""}, 422),
        ({"name": None}, 422),
        ({"requests_per_minute": 0}, 422),
    ):
        answer = own.model.server.http.post("/endpoints", json={**made, "name": "p", **wish})
        assert answer.status_code == status, answer.text
    assert own.model.server.http.get("/endpoints").json() == before


def test_a_body_that_is_no_record_costs_little(own: Asked) -> None:
    endpoint = make(own)
    big = call(own, endpoint, endpoint["api_key"], {"note": "x" * 2_000_000})
    assert_envelope(big, 413, "too_large")
    refused = call(own, endpoint, "wrong", {"note": "x" * 500_000})
    assert_envelope(refused, 401, "unauthorized")
    assert stats(own, endpoint)["usage_count"] == 0


def test_an_endpoint_goes_with_its_model(asked: Asked, tmp_path: Path) -> None:
    with asked.copy(tmp_path / "data") as own:
        endpoint = make(own, "churned")
        path = f"/compute/session/{own.made['churned']['session_id']}"
        assert own.model.server.http.post(f"{path}/mark_for_deletion", json={}).status_code == 200
        assert_envelope(call(own, endpoint, endpoint["api_key"]), 404, "not_found")
        assert_envelope(manage(own, endpoint), 404, "not_found")
        assert own.model.server.http.get("/endpoints").json() == {"endpoints": []}
