"""Retries, envelopes and errors, against real HTTP servers that misbehave on purpose."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from featrix_client.errors import (
    FeatrixAuthenticationError,
    FeatrixConnectionError,
    FeatrixHTTPError,
    FeatrixInputError,
)
from featrix_client.retries import Patience, RetryPolicy, retry_after
from featrix_client.transport import Address, Transport, unwrap
from tests.client.scripted import Answer, in_turn

FAST = RetryPolicy(base_delay=0.01, max_delay=0.05, queue_wait=0.01, upgrade_wait=0.01)
BUSY = Answer({"error": "busy"}, 503)
OK = Answer({"ok": True})


def connect(server, policy=FAST, **options) -> Transport:
    return Transport(Address(server.url, "fx_key"), policy=policy, **options)


# ------------------------------------------------------------------ headers


def test_every_request_carries_key_agent_and_cluster(serve):
    server = serve(in_turn(OK))
    transport = connect(server, compute_cluster="lab")
    transport.get("/a", x=1, y=None)
    transport.post("/b", {"n": 1})
    get, post = server.requests
    assert get.path == "/a?x=1"
    assert post.body == b'{"n": 1}'
    for request in (get, post):
        assert request.headers["X-Api-Key"] == "fx_key"
        assert request.headers["User-Agent"].startswith("FeatrixNotebook/")
        assert request.headers["X-Featrix-Node"] == "lab"


def test_without_a_key_none_is_sent(serve):
    server = serve(in_turn(OK))
    Transport(Address(server.url, None)).get("/a")
    assert "X-Api-Key" not in server.requests[0].headers


def test_the_key_does_not_follow_a_redirect(serve):
    other = serve(in_turn(OK))
    server = serve(in_turn(Answer(status=302, headers={"Location": f"{other.url}/a"})))
    with pytest.raises(FeatrixHTTPError, match="sends requests on to") as caught:
        connect(server).get("/a")
    assert "api_url" in caught.value.hint
    assert not other.requests


@pytest.mark.parametrize(
    ("body", "inner"),
    [
        ({"_meta": {}, "data": [1]}, [1]),
        ({"_meta": {}, "response": 2}, 2),
        ({"response": {"a": 1}}, {"a": 1}),
        ({"response": 1, "other": 2}, {"response": 1, "other": 2}),
        ({"data": 1}, {"data": 1}),
        ([1], [1]),
    ],
)
def test_envelopes(body, inner):
    assert unwrap(body) == inner


# ------------------------------------------------------------------ retries


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_is_sent_again(serve, status):
    server = serve(in_turn(Answer(status=status), Answer(status=status), OK))
    assert connect(server).get("/a") == {"ok": True}
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 413, 422, 501])
def test_a_refusal_is_final(serve, status):
    server = serve(in_turn(Answer(status=status)))
    with pytest.raises(FeatrixHTTPError) as caught:
        connect(server).get("/a")
    assert caught.value.status == status
    assert len(server.requests) == 1


def test_it_gives_up_after_five_attempts(serve):
    server = serve(in_turn(BUSY))
    with pytest.raises(FeatrixHTTPError, match="busy") as caught:
        connect(server).get("/a")
    assert caught.value.status == 503
    assert len(server.requests) == 5


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_write_that_may_have_been_done_is_not_sent_again(serve, status):
    server = serve(in_turn(Answer(status=status), OK))
    with pytest.raises(FeatrixHTTPError):
        connect(server).post("/a", {})
    assert len(server.requests) == 1
    assert connect(server).post("/a", {}, repeatable=True) == {"ok": True}


@pytest.mark.parametrize(
    "answer",
    [BUSY, Answer(status=429), Answer({"detail": "stalled-node-busy"}, 409)],
)
def test_a_write_that_was_not_done_is_sent_again(serve, answer):
    server = serve(in_turn(answer, OK))
    assert connect(server).post("/a", {}) == {"ok": True}


def test_a_broken_connection(serve):
    server = serve(in_turn(Answer(hang_up=True), OK))
    assert connect(server).get("/a") == {"ok": True}
    server = serve(in_turn(Answer(hang_up=True), OK))
    with pytest.raises(FeatrixConnectionError, match="took POST /a but did not answer") as caught:
        connect(server).post("/a", {})
    assert "may have been carried out" in str(caught.value)
    assert len(server.requests) == 1


def test_retry_after_is_honoured(serve):
    server = serve(in_turn(Answer(status=429, headers={"Retry-After": "0.3"}), OK))
    start = time.monotonic()
    connect(server).get("/a")
    assert time.monotonic() - start >= 0.3


def test_a_wait_longer_than_the_patience_is_told_at_once(serve):
    server = serve(in_turn(Answer({"error": "later"}, 429, {"Retry-After": "9999"})))
    start = time.monotonic()
    with pytest.raises(FeatrixHTTPError, match="later"):
        connect(server).get("/a")
    assert time.monotonic() - start < 2


def test_a_full_queue_and_an_upgrade_are_waited_for_longer_than_five_attempts(serve):
    full = Answer({"quota_exceeded": True, "pending_count": 3}, 429)
    upgrade = Answer({"detail": "the node is currently upgrading"}, 503)
    server = serve(in_turn(*[full] * 7, *[upgrade] * 7, OK))
    assert connect(server).post("/a", {}) == {"ok": True}
    assert len(server.requests) == 15


def test_training_in_progress_is_no_reason_to_wait(serve):
    body = {"status": "training_in_progress_no_checkpoint", "message": "Predictor is training."}
    server = serve(in_turn(Answer(body, 503)))
    with pytest.raises(FeatrixHTTPError, match="Predictor is training"):
        connect(server).post("/a", {})
    assert len(server.requests) == 1


def test_the_delays_of_the_protocol():
    patience = Patience(RetryPolicy(), repeatable=True)
    delays = [patience.after_answer(500, {}, None) for _ in range(5)]
    for delay, full in zip(delays, (2, 4, 8, 16), strict=False):
        assert 0.75 * full <= delay <= full
    assert delays[4] is None


def test_retry_after_reads_seconds_and_dates():
    assert retry_after({"Retry-After": "7"}) == 7
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert 28 < retry_after({"Retry-After": format_datetime(soon)}) <= 30
    assert retry_after({"Retry-After": format_datetime(soon - timedelta(days=1))}) == 0
    for junk in ("", "soon", "nan", "inf"):
        assert retry_after({"Retry-After": junk}) is None


# ------------------------------------------------------------------- errors


def test_an_error_says_all_that_the_server_said(serve):
    body = {
        "error": "No such model 'x'.",
        "code": "not_found",
        "hint": "See the list.",
        "field": "id",
    }
    server = serve(in_turn(Answer(body, 404, {"X-Request-Id": "r-17"})))
    with pytest.raises(requests.HTTPError) as caught:
        connect(server).get("/compute/session/x")
    error = caught.value
    assert (error.status, error.code, error.hint, error.field) == (
        404,
        "not_found",
        "See the list.",
        "id",
    )
    assert error.request_id == "r-17"
    assert error.response.status_code == 404
    assert str(error) == ("No such model 'x'. (HTTP 404, GET /compute/session/x)\nSee the list.")


@pytest.mark.parametrize("status", [400, 422])
def test_wrong_input_is_a_value_error(serve, status):
    body = {"error": "19 rows", "code": "invalid_input", "hint": "Give 20.", "field": "file"}
    server = serve(in_turn(Answer(body, status)))
    with pytest.raises(FeatrixInputError, match=r"19 rows\nGive 20\.") as caught:
        connect(server).post("/a", {})
    assert caught.value.field == "file"
    assert isinstance(caught.value, ValueError)


def test_other_kinds_of_400_stay_http_errors(serve):
    server = serve(in_turn(Answer({"error": "no", "code": "bad_request"}, 400)))
    with pytest.raises(FeatrixHTTPError):
        connect(server).get("/a")


def test_a_wrong_key_is_told(serve):
    server = serve(in_turn(Answer({"error": "The API key is wrong."}, 401)))
    with pytest.raises(FeatrixAuthenticationError, match="FEATRIX_API_KEY") as caught:
        connect(server).get("/a")
    assert isinstance(caught.value, requests.HTTPError)
    assert "fx_key" not in str(caught.value)


def test_nobody_there():
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(FeatrixConnectionError, match=f"No server answers at {url}") as caught:
            Transport(Address(url, None), policy=FAST).post("/a", {})
    assert isinstance(caught.value, requests.ConnectionError)
    assert "api_url" in caught.value.hint


def test_an_answer_that_is_not_json(serve):
    server = serve(in_turn(Answer(b"<html>welcome</html>")))
    with pytest.raises(FeatrixHTTPError, match="not JSON"):
        connect(server).get("/a")


def test_health_answers_also_when_unwell(serve):
    server = serve(in_turn(Answer({"status": "degraded"}, 503)))
    transport = Transport(Address(server.url, None), policy=RetryPolicy(attempts=1))
    assert transport.health() == {"status": "degraded"}
    with pytest.raises(FeatrixHTTPError):
        connect(serve(in_turn(Answer(b"nginx", 404)))).health()


# --------------------------------------------------------------- relocation


def test_a_server_that_moved_is_found_again_once(serve):
    new = serve(in_turn(OK))
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        old = Address(f"http://127.0.0.1:{gone.getsockname()[1]}", "fx_old")
        found = []

        def relocate() -> Address:
            found.append(1)
            time.sleep(0.1)
            return Address(new.url, "fx_new")

        transport = Transport(old, relocate=relocate, policy=FAST)
        threads = [threading.Thread(target=transport.get, args=("/a",)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert transport.post("/b", {}) == {"ok": True}
    assert found == [1]
    assert {request.headers["X-Api-Key"] for request in new.requests} == {"fx_new"}


def test_another_key_on_the_same_port_is_found(serve):
    server = serve(
        lambda request: (
            OK if request.headers["X-Api-Key"] == "fx_new" else Answer({"error": "wrong key"}, 401)
        )
    )
    transport = connect(server, relocate=lambda: Address(server.url, "fx_new"))
    assert transport.get("/a") == {"ok": True}
    stubborn = connect(server, relocate=lambda: Address(server.url, "fx_key"))
    with pytest.raises(FeatrixAuthenticationError):
        stubborn.get("/a")
