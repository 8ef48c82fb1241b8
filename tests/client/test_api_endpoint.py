"""Predictors in production, on the real embedded server: endpoints, feedback, labels from it."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
import requests

from featrix_client import APIEndpoint, FeatrixAuthenticationError

RECORD = {"age": 70, "spend": 85}


@pytest.fixture
def endpoint(classifier) -> APIEndpoint:
    return classifier.create_api_endpoint("Shop", description="The till's.")


def refused(endpoint: APIEndpoint, *key: str) -> int:
    with pytest.raises(requests.HTTPError) as caught:
        endpoint.predict(RECORD, *key)
    return caught.value.response.status_code


def test_an_endpoint_predicts_is_found_and_counts(parent, classifier, endpoint, featrix):
    assert len(endpoint.api_key) > 43
    assert endpoint.url == f"{featrix.url}/endpoint/{endpoint.id}/predict"
    assert endpoint.target_column == "plan"
    result = endpoint.predict(RECORD, customer_metadata={"who": "Zoë", "n": float("nan")})
    assert result.probabilities == classifier.predict(RECORD).probabilities
    bare = requests.post(
        endpoint.url, json={"query_record": RECORD}, headers={"X-API-Key": endpoint.api_key}
    )
    assert bare.json()["predicted_class"] == "gold"
    again = featrix.api_endpoint(endpoint.id, parent.id)
    assert again.api_key == endpoint.api_key
    assert again.predict(RECORD).predicted_class == "gold"
    stats = again.get_usage_stats()
    assert (stats["usage_count"], stats["error_count"]) == (3, 0)
    assert sum(stats["by_day"].values()) == 3
    assert {"last_used_at", "avg_latency_ms", "created_at"} <= set(stats)
    assert again.refresh()["usage_count"] == 3


def test_the_key_is_in_no_repr(endpoint):
    assert endpoint.api_key not in repr(endpoint)
    assert endpoint.api_key not in repr(endpoint.raw)
    with pytest.raises(requests.HTTPError) as caught:
        endpoint.predict(RECORD, "fx_wrong")
    assert "fx_wrong" not in str(caught.value)


def test_the_life_of_a_key(parent, endpoint, featrix):
    old = endpoint.api_key
    with pytest.raises(FeatrixAuthenticationError):
        endpoint.predict(RECORD, "fx_wrong")
    new = endpoint.regenerate_api_key()
    assert new == endpoint.api_key != old
    assert refused(endpoint, old) == 401
    assert endpoint.predict(RECORD, api_key=new).predicted_class == "gold"
    endpoint.revoke_api_key()
    assert endpoint.api_key is None
    assert refused(endpoint) == refused(endpoint, new) == 403  # the account's key, too
    endpoint.revoke_api_key(make_public=True)
    assert requests.post(endpoint.url, json={"query_record": RECORD}).status_code == 200
    assert endpoint.raw["is_public"]
    assert endpoint.regenerate_api_key()
    assert not endpoint.raw["is_public"]
    key = endpoint.api_key
    endpoint.delete()
    assert refused(endpoint) == refused(endpoint, key) == 404
    with pytest.raises(requests.HTTPError) as caught:
        featrix.api_endpoint(endpoint.id, parent.id)
    assert caught.value.status == 404


def test_a_limit_is_waited_for_or_told(classifier):
    limited = classifier.create_api_endpoint("Slow", requests_per_minute=60)
    for _ in range(60):
        limited.predict(RECORD)
    assert limited.predict(RECORD).predicted_class == "gold"  # a second later
    assert limited.get_usage_stats()["usage_count"] == 61


def test_bad_arguments(parent, classifier, endpoint, featrix):
    for name in ("", "  ", None, 7):
        with pytest.raises(ValueError, match="name must be a text"):
            classifier.create_api_endpoint(name)
    with pytest.raises(ValueError, match="requests_per_minute"):
        classifier.create_api_endpoint("x", requests_per_minute=0)
    with pytest.raises(ValueError, match="not the id of an endpoint"):
        featrix.api_endpoint("", parent.id)
    with pytest.raises(ValueError, match="must be a dict"):
        endpoint.predict([RECORD])
    with pytest.raises(ValueError, match="16,384"):
        classifier.predict(RECORD, customer_metadata={"a": "x" * 17_000})
    with pytest.raises(ValueError, match="customer_metadata must be a dict"):
        endpoint.predict(RECORD, customer_metadata="text")
    with pytest.raises(requests.HTTPError) as caught:
        featrix.api_endpoint(endpoint.id, "another-model")
    assert caught.value.status == 404
    with pytest.raises(ValueError, match="none of the predictor's columns"):
        endpoint.predict({"shoe": 44})
    assert endpoint.get_usage_stats()["error_count"] == 1


def test_feedback_is_scored_and_comes_back_as_labels(parent, classifier, featrix, people):
    before = classifier.get_metrics()["feedback"]
    rows = people(40, seed=11)
    results = classifier.batch_predict(rows.assign(shoe=44))
    for place, (result, plan) in enumerate(zip(results, rows["plan"], strict=True)):
        if place % 2:
            answer = result.send_feedback(plan).send()
        else:
            answer = featrix.prediction_feedback(result.prediction_uuid, plan)
        assert (answer["ground_truth"], answer["replaced"]) == (plan, False)
    after = classifier.get_metrics()["feedback"]
    assert after["total"] - before["total"] == 40
    assert 0.7 < after["metrics"]["accuracy"] <= 1
    frame = classifier.feedback_frame()
    assert "shoe" not in frame
    assert len(frame) == after["total"]
    told = frame.head(40)[::-1].reset_index(drop=True)
    assert np.array_equal(told["age"], rows["age"], equal_nan=True)
    assert told["plan"].tolist() == rows["plan"].tolist()
    again = parent.create_binary_classifier("plan", labels_df=told, epochs=2)
    again.wait_for_training(max_wait_time=250, show_progress=False)
    assert again.predict(RECORD).predicted_class in ("gold", "basic")


def test_feedback_on_nothing_is_refused(classifier, featrix):
    with pytest.raises(requests.HTTPError) as caught:
        featrix.prediction_feedback(str(uuid.uuid4()), "gold")
    assert caught.value.status == 404
    result = classifier.predict(RECORD)
    assert result.send_feedback("platinum").send()["unseen_label"]
    with pytest.raises(ValueError, match="ground_truth"):
        result.send_feedback(None)
