"""Webhooks: configuring, calls to a real receiver, retries, refusals, and the log."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from featrix_client import verify_signature
from featrix_server import delivery
from featrix_server.db import DeliveryRow, now
from tests.server.receiver import Receiver, receiving

from .conftest import Server, Trained, running_copy
from .test_gate import assert_envelope

QUICK = delivery.Times(retry_after_s=(0.02, 0.02, 0.02, 0.02), timeout_s=30.0, poll_s=0.01)
URL = "https://example.com/hook"


@pytest.fixture
def quick(make_server: Callable[..., Server]) -> Server:
    """A server that does not pause long between two tries."""
    return make_server(webhook_times=QUICK)


def configure(server: Server, path: str, predictor_id: str | None = None, **hooks: Any) -> Any:
    body = {"webhooks": hooks, "predictor_id": predictor_id}
    return server.http.post(f"{path}/configure_webhooks", json=body)


def log(server: Server, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = server.http.get(f"{path}/webhook_deliveries", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


def finish_one(server: Server, path: str) -> None:
    """Let the one training of a model end without any work: what it tells is told at once."""
    assert server.http.post(f"{path}/cancel", json={}).json()["cancelled"]


def told_of(server: Server, receiver: Receiver, until: Callable[..., None], **hooks: str) -> str:
    """Make a model with a webhook that is called once; return the model's path."""
    path = server.create(webhooks=f'{{"training_finished": "{receiver.url}/done"}}')
    if hooks:
        configure(server, path, **hooks)
    finish_one(server, path)
    until(lambda: log(server, path)[0]["finished_at"])
    return path


# -- configuring ---------------------------------------------------------------------------


def test_only_what_is_named_is_set_and_secrets_are_masked(server: Server) -> None:
    path = server.create(webhooks=f'{{"training_started": "{URL}/1", "usage": "{URL}/u"}}')
    one = {"training_started": f"{URL}/1", "usage": f"{URL}/u"}
    assert server.http.get(f"{path}/webhooks").json()["webhooks"] == one
    answer = configure(server, path, alert_drift=f"{URL}/2", webhook_secret="geheim").json()
    two = one | {"alert_drift": f"{URL}/2", "webhook_secret": "********"}
    assert answer["webhooks"] == two
    # What was read may be sent back: the mask is no secret, and null says nothing.
    answer = configure(server, path, **two | {"alert_drift": f"{URL}/3", "usage": None})
    assert answer.json()["webhooks"] == two | {"alert_drift": f"{URL}/3"}
    assert "geheim" not in answer.text
    answer = server.http.post(f"{path}/disable_webhook", json={"event_type": "usage"}).json()
    assert "usage" not in answer["webhooks"]
    assert answer["webhooks"]["alert_drift"] == f"{URL}/3"


BAD = [
    {"training_finish": URL},
    {"alert_drift": "ftp://example.com"},
    {"alert_drift": "/etc/passwd"},
    {"alert_drift": "https://"},
    {"alert_drift": "http://[::1"},
    {"alert_drift": "http://example.com:99999/"},
    {"alert_drift": "http://example.com/a b"},
    {"alert_drift": "http://example.com/\r\nX-Evil: 1"},
    {"alert_drift": "https://user:password@example.com/"},
    {"alert_drift": "https://example.com/" + 3000 * "x"},
    {"alert_drift": "http://169.254.169.254/latest/meta-data/"},
    {"webhook_secret": ""},
]


def test_what_cannot_be_called_is_refused(server: Server) -> None:
    path = server.create()
    for hooks in BAD:
        answer = configure(server, path, training_started=URL, **hooks)
        assert_envelope(answer, 422, "invalid_input")
    assert server.http.get(f"{path}/webhooks").json()["webhooks"] == {}


def test_webhooks_given_with_a_model_are_checked_before_anything_is_kept(server: Server) -> None:
    for hooks in ('{"training_finish": "https://x.org"}', '{"alert_drift": "nowhere"}'):
        body = assert_envelope(server.upload(webhooks=hooks), 422, "invalid_input")
        assert body["field"] == "webhooks"
    server.assert_nothing_left()


def test_unknown_models_predictors_and_events(server: Server) -> None:
    path = server.create()
    assert_envelope(configure(server, "/compute/session/none", usage=URL), 404, "not_found")
    assert_envelope(configure(server, path, "nobody", usage=URL), 404, "not_found")
    for query in ({"predictor_id": "nobody"},):
        for route in ("webhooks", "webhook_deliveries"):
            answer = server.http.get(f"{path}/{route}", params=query)
            assert_envelope(answer, 404, "not_found")
    answer = server.http.post(f"{path}/disable_webhook", json={"event_type": "everything"})
    assert_envelope(answer, 422, "invalid_input")


# -- calls ---------------------------------------------------------------------------------


def test_a_call_is_signed_and_the_client_can_check_it(
    quick: Server, receiver: Receiver, until: Callable[..., None]
) -> None:
    path = told_of(quick, receiver, until, webhook_secret="geheim")
    (call,) = receiver.told
    assert call.path == "/done"
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["X-Featrix-Event"] == "training_finished"
    header = call.headers["X-Featrix-Signature"]
    assert verify_signature(call.body, header, "geheim")
    assert not verify_signature(call.body, header, "Geheim")
    assert not verify_signature(call.body + b" ", header, "geheim")
    assert not verify_signature(call.body, header, "geheim", now=time.time() + 301)
    assert set(call.payload) == {
        *("event", "timestamp", "foundational_model_id", "predictor_id", "data")
    }
    assert call.payload["foundational_model_id"] == path.rsplit("/", 1)[-1]
    assert call.payload["predictor_id"] is None
    assert call.payload["data"]["status"] == "cancelled"
    (entry,) = log(quick, path)
    assert entry["id"] == call.headers["X-Featrix-Delivery"]
    assert (entry["status"], entry["url"]) == ("delivered", f"{receiver.url}/done")
    assert [one["status_code"] for one in entry["tries"]] == [200]


def test_without_a_secret_nothing_is_signed(
    quick: Server, receiver: Receiver, until: Callable[..., None]
) -> None:
    told_of(quick, receiver, until)
    assert "X-Featrix-Signature" not in receiver.told[0].headers


def test_a_training_tells_its_beginning_and_its_end(
    trained: Trained, tmp_path: Path, receiver: Receiver, until: Callable[..., None]
) -> None:
    with running_copy(trained, tmp_path / "data", webhook_times=QUICK) as model:
        server, http = model.server, model.server.http
        configure(server, model.path, training_started=receiver.url, training_finished=receiver.url)
        body = {"target_column": "plan", "target_column_type": "set", "epochs": 2}
        created = http.post(f"{model.path}/train_predictor", json=body).json()
        server.train()
        until(lambda: len(receiver.told) == 2)
        started, finished = (call.payload for call in receiver.told)
        assert (started["event"], finished["event"]) == ("training_started", "training_finished")
        assert finished["predictor_id"] == created["predictor_id"]
        assert finished["foundational_model_id"] == model.session_id
        facts = finished["data"]
        assert (facts["status"], facts["error"]) == ("done", None)
        assert facts["epochs_trained"] >= 1
        assert 0 <= facts["accuracy"] <= 1
        assert 0 <= facts["auc"] <= 1
        # One of its own goes before the model's; disabled, nothing is told of it any more.
        own = {"predictor_id": created["predictor_id"]}
        configure(server, model.path, **own, training_finished=f"{receiver.url}/own")
        http.post(f"{model.path}/disable_webhook", json={"event_type": "training_started", **own})
        told = http.get(f"{model.path}/webhooks", params=own).json()["webhooks"]
        assert told == {"training_finished": f"{receiver.url}/own"}
        assert "training_started" in http.get(f"{model.path}/webhooks").json()["model"]
        http.post(f"{model.path}/train_predictor_more", json={"epochs": 1, **own})
        server.train()
        until(lambda: len(receiver.told) == 3)
        assert receiver.told[2].path == "/own"


def test_a_training_that_fails_says_why(
    quick: Server, receiver: Receiver, until: Callable[..., None]
) -> None:
    path = quick.create(webhooks=f'{{"training_finished": "{receiver.url}"}}')
    (quick.context.store.folder(path.rsplit("/", 1)[-1]) / "data.parquet").unlink()
    quick.train()
    until(lambda: receiver.told)
    facts = receiver.told[0].payload["data"]
    assert facts["status"] == "error"
    assert "data.parquet" in facts["error"]


def test_failures_are_tried_again_five_times_in_all(
    quick: Server, receiver: Receiver, until: Callable[..., None]
) -> None:
    receiver.answers = [500, 404, 429, 200]
    path = told_of(quick, receiver, until)
    (entry,) = log(quick, path)
    assert entry["status"] == "delivered"
    assert [one["status_code"] for one in entry["tries"]] == [500, 404, 429, 200]
    assert len({call.headers["X-Featrix-Delivery"] for call in receiver.told}) == 1
    receiver.answers = [503]
    (entry,) = log(quick, told_of(quick, receiver, until), status="failed")
    assert [one["status_code"] for one in entry["tries"]] == 5 * [503]
    assert "503" in entry["tries"][0]["error"]


def test_a_receiver_that_is_gone_is_not_called_again(
    quick: Server, receiver: Receiver, until: Callable[..., None]
) -> None:
    receiver.answers = [410]
    path = told_of(quick, receiver, until)
    (entry,) = log(quick, path)
    assert (entry["status"], len(entry["tries"])) == ("failed", 1)
    assert quick.http.get(f"{path}/webhooks").json()["webhooks"] == {}


def test_redirects_are_not_followed(
    quick: Server, receiver: Receiver, until: Callable[..., None]
) -> None:
    with receiving() as secret_place:
        receiver.answers = [302, 307, 200]
        receiver.headers = {"Location": f"{secret_place.url}/"}
        path = told_of(quick, receiver, until)
        assert secret_place.told == []
    assert "redirects are not followed" in log(quick, path)[0]["tries"][0]["error"]


def test_a_slow_receiver_is_cut_off_and_keeps_nobody_waiting(
    make_server: Callable[..., Server], receiver: Receiver, until: Callable[..., None]
) -> None:
    quick = make_server(webhook_times=dataclasses.replace(QUICK, timeout_s=1.0))
    done = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        # A byte now and then: no single read takes long, the whole would take for ever.
        while not done.wait(0.1):
            handler.wfile.write(b"H")

    receiver.before = trickle
    slow = [quick.create(webhooks=f'{{"training_finished": "{receiver.url}"}}') for _ in range(3)]
    for path in slow:
        finish_one(quick, path)
    with receiving() as other:
        told_of(quick, other, until)
        assert other.events() == ["training_finished"]
    until(lambda: log(quick, slow[0])[0]["tries"])
    done.set()
    first = log(quick, slow[0])[0]["tries"][0]
    assert first["error"] == "no answer within 1 s"
    receiver.before = lambda _handler: None
    until(lambda: all(log(quick, path)[0]["status"] == "delivered" for path in slow))


def test_disabling_ends_what_waits(
    make_server: Callable[..., Server], receiver: Receiver, until: Callable[..., None]
) -> None:
    server = make_server(webhook_times=delivery.Times(retry_after_s=(0.5,), poll_s=0.01))
    receiver.answers = [500]
    path = server.create(webhooks=f'{{"training_finished": "{receiver.url}"}}')
    finish_one(server, path)
    until(lambda: log(server, path)[0]["tries"])
    server.http.post(f"{path}/disable_webhook", json={"event_type": "training_finished"})
    until(lambda: log(server, path)[0]["status"] == "cancelled")
    assert len(receiver.told) == 1


def test_a_clock_that_was_set_back_keeps_nothing_waiting(
    make_server: Callable[..., Server], receiver: Receiver, until: Callable[..., None]
) -> None:
    server = make_server(webhook_times=delivery.Times(retry_after_s=(60.0,), poll_s=0.01))
    receiver.answers = [500, 200]
    path = server.create(webhooks=f'{{"training_finished": "{receiver.url}"}}')
    finish_one(server, path)
    until(lambda: log(server, path)[0]["tries"])
    with server.context.database.write() as database:
        database.query(DeliveryRow).one().due_at = now() + timedelta(hours=1)
    until(lambda: log(server, path)[0]["status"] == "delivered")


def test_two_servers_on_one_folder_send_once(
    quick: Server,
    make_server: Callable[..., Server],
    receiver: Receiver,
    until: Callable[..., None],
) -> None:
    make_server(webhook_times=QUICK)
    paths = [quick.create(webhooks=f'{{"training_finished": "{receiver.url}"}}') for _ in range(6)]
    for path in paths:
        finish_one(quick, path)
    until(lambda: all(log(quick, path)[0]["status"] == "delivered" for path in paths))
    ids = [call.headers["X-Featrix-Delivery"] for call in receiver.told]
    assert len(ids) == len(set(ids)) == 6
