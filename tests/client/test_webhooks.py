"""Webhooks as the client sees them: setting, reading, the log, and trusting a call."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable

import pandas as pd
import pytest

from featrix_client import FeatrixSphere, Predictor, verify_signature
from tests.client.predicting import ModelServer
from tests.client.scripted import Answer
from tests.server.receiver import receiving
from tests.waiting import wait_until

SECRET = "a secret"


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def message(timestamp: object = "2026-01-02T03:04:05.678Z") -> bytes:
    return json.dumps({"event": "training_finished", "timestamp": timestamp}).encode()


MOMENT = 1767323045.678  # that of the message, in seconds since 1970


def test_a_true_message_is_believed_for_a_while():
    body = message()
    assert verify_signature(body, signed(body), SECRET, now=MOMENT)
    assert verify_signature(body.decode(), signed(body), SECRET, now=MOMENT + 299)
    assert verify_signature(body, signed(body), SECRET, now=MOMENT - 299)
    assert not verify_signature(body, signed(body), SECRET, now=MOMENT + 301)
    assert not verify_signature(body, signed(body), SECRET)  # long ago by now
    assert verify_signature(body, signed(body), SECRET, max_age_s=None)


@pytest.mark.parametrize("header", [None, "", "sha256=", "sha1=00", "é", signed(message(), "x")])
def test_a_wrong_signature_is_not_believed(header):
    assert not verify_signature(message(), header, SECRET, now=MOMENT)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b"\xff", message(None), message(5), message("yesterday")]
)
def test_a_signed_message_without_a_time_is_believed_only_if_time_does_not_matter(body):
    assert not verify_signature(body, signed(body), SECRET)
    assert verify_signature(body, signed(body), SECRET, max_age_s=None)


def test_a_secret_is_needed():
    with pytest.raises(ValueError, match="secret is empty"):
        verify_signature(message(), signed(message(), ""), "")


def test_a_model_of_the_real_server_calls_back(
    featrix: FeatrixSphere, people: Callable[..., pd.DataFrame]
):
    with receiving() as receiver:
        fm = featrix.create_foundational_model(
            df=people(120),
            epochs=1,
            webhooks={"training_finished": receiver.url, "webhook_secret": SECRET},
        )
        told = {"training_finished": receiver.url, "webhook_secret": "********"}
        assert fm.get_webhooks() == told
        told = fm.configure_webhooks(alert_drift=f"{receiver.url}/drift")
        assert told == fm.get_webhooks()
        assert told["alert_drift"] == f"{receiver.url}/drift"
        assert "alert_drift" not in fm.disable_webhook("alert_drift")
        fm.wait_for_training(max_wait_time=250, show_progress=False)

        def told_of() -> list[tuple[str, str]]:
            log = [(one["event"], one["status"]) for one in fm.get_webhook_deliveries()]
            return [] if "waiting" in dict(log).values() else log

        assert wait_until(told_of, "the call") == [("training_finished", "delivered")]
        (call,) = receiver.told
        assert verify_signature(call.body, call.headers["X-Featrix-Signature"], SECRET)
        assert call.payload["foundational_model_id"] == fm.id
        assert call.payload["data"]["epochs_trained"] == 1
        assert call.payload["data"]["final_loss"] == fm.final_loss


def test_a_predictor_names_itself(predictor: Predictor, model: ModelServer):
    urls: dict[str, str] = {}

    def configure_webhooks(body: dict) -> Answer:
        urls.update(body["webhooks"])
        return Answer({"webhooks": urls})

    def disable_webhook(body: dict) -> Answer:
        urls.pop(body["event_type"])
        return Answer({"webhooks": urls, "model": {}})

    model.configure_webhooks = configure_webhooks
    model.disable_webhook = disable_webhook
    told = predictor.configure_webhooks("http://a/1", alert_error_rate="http://a/2")
    assert told == {"training_started": "http://a/1", "alert_error_rate": "http://a/2"}
    assert predictor.disable_webhook("training_started") == {"alert_error_rate": "http://a/2"}
    assert [body["predictor_id"] for _, body in model.bodies] == ["p1", "p1"]


def test_what_is_wrong_is_not_even_sent(predictor: Predictor, model: ModelServer):
    with pytest.raises(ValueError, match="No webhook is named"):
        predictor.configure_webhooks()
    with pytest.raises(ValueError, match="needs an http:// or https:// URL"):
        predictor.configure_webhooks(training_started="host/x")
    with pytest.raises(ValueError, match="webhook_secret must be a text"):
        predictor.configure_webhooks(training_started="http://host/x", webhook_secret="")
    with pytest.raises(ValueError, match="is 'alert_drift' meant"):
        predictor.disable_webhook("alert_drif")
    assert model.bodies == []
