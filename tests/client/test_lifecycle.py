"""What becomes of models beside and after their training, through the client."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from featrix_client import FeatrixHTTPError, FeatrixSphere, Predictor

People = Callable[..., pd.DataFrame]


def test_a_checkpoint_can_be_used_while_the_training_runs(
    featrix: FeatrixSphere, people: People
) -> None:
    fm = featrix.create_foundational_model(name="long run", df=people(300), epochs=2000)
    while fm.refresh() and (fm.epochs or 0) < 12:
        assert fm.status == "training"
        time.sleep(0.05)
    queued = featrix.create_foundational_model(name="waits for its turn", df=people(300))
    with pytest.raises(FeatrixHTTPError, match="saved no checkpoint yet") as early:
        queued.publish_checkpoint("too early", "my org")
    assert early.value.status == 409
    queued.delete()

    taken = fm.publish_checkpoint("tenth", "my org", checkpoint_epoch=10)

    fm.refresh()
    assert fm.status == "training"
    assert taken.status == "done"
    assert (taken.name, taken.epochs, taken.dimensions) == ("tenth", 10, 256)
    assert taken.list_predictors() == []
    assert taken.get_model_card()["lineage"] == {"parent_id": fm.id, "epoch": 10}
    (vector,) = taken.encode({"age": 40, "plan": "gold"})
    assert np.linalg.norm(vector["embedding_long"]) == pytest.approx(1, abs=1e-5)
    assert len(taken.projections_frame()) == 300
    assert taken.get_training_metrics()["data"]["epochs"] == [*range(1, 11)]
    epochs, rows, positions = taken.movie_frames()
    assert {0, 1, 10} <= {*epochs.tolist()} <= {*range(11)}
    assert positions.shape == (len(epochs), len(rows), 3)
    with pytest.raises(ValueError, match=r"epoch 7; the kept epochs are .*\b10\b") as refused:
        fm.publish_checkpoint("seventh", "my org", checkpoint_epoch=7)
    assert "every 10th" in str(refused.value)
    for name in ("", "  ", None):
        with pytest.raises(ValueError, match="not a name"):
            fm.publish_checkpoint(name, "my org")  # type: ignore[arg-type]  # that is the point

    fm.delete()
    with pytest.raises(FeatrixHTTPError):
        fm.refresh()
    assert len(taken.encode({"age": 40})) == 1
    assert featrix.foundational_model("tenth").id == taken.id
    taken.unpublish()
    taken.set_deletion_protection(False)
    taken.delete()


def test_from_a_clone_to_its_end(featrix: FeatrixSphere, classifier: Predictor) -> None:
    parent = featrix.foundational_model(classifier.session_id)
    clone = parent.clone(new_name="The second")
    assert (clone.name, clone.status, clone.columns) == ("The second", "done", parent.columns)
    assert clone.id != parent.id
    (copied,) = [one for one in clone.list_predictors() if one.name == classifier.name]
    record = {"age": 50, "spend": 70}
    assert copied.predict(record).probabilities == classifier.predict(record).probabilities
    with pytest.raises(ValueError, match="no compute cluster 'mars'"):
        parent.clone("mars")

    with pytest.raises(ValueError, match="not a name"):
        clone.publish(name=" ")
    told = clone.publish(name="In production? Yes & now")
    assert told["status"] == "completed"
    assert clone.publish(name="In production? Yes & now")["status"] == "already_published"
    found = featrix.foundational_model("In production? Yes & now")
    assert (found.id, found.name) == (clone.id, "The second")
    assert clone.id in featrix.list_sessions("In production")
    with pytest.raises(ValueError, match="published as 'In production"):
        parent.publish(name="In production? Yes & now")
    with pytest.raises(FeatrixHTTPError, match="is published as") as refused:
        clone.delete()
    assert refused.value.status == 409
    assert clone.unpublish()["status"] == "unpublished"
    with pytest.raises(FeatrixHTTPError, match="protected"):
        clone.delete()
    clone.set_deletion_protection(False)

    for message, when in (("", "2999-01-01"), ("Old", "2001-01-01"), ("Old", "soon")):
        with pytest.raises(ValueError, match=r"message|future|not a date"):
            clone.deprecate(message, when)
    until = datetime.now(UTC) + timedelta(days=9)
    clone.deprecate("Use the third, „bitte“.", until)
    for use in (clone.refresh, lambda: clone.encode(record), lambda: copied.predict(record)):
        with pytest.warns(
            DeprecationWarning, match="Use the third, „bitte“.*no predictions"
        ) as seen:
            use()
        assert seen[0].filename == __file__  # where Python shows it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parent.refresh()

    clone.delete()
    assert clone.id not in featrix.list_sessions()


def test_a_training_can_be_cancelled(featrix: FeatrixSphere, people: People) -> None:
    fm = featrix.create_foundational_model(name="short", df=people(300), epochs=50_000)
    with pytest.raises(ValueError, match="wait_for_training"):
        fm.publish(name="short")
    with pytest.raises(ValueError, match="Only a trained model can be cloned"):
        fm.clone()
    assert fm.cancel("no need for it")["cancelled"]
    with pytest.raises(RuntimeError, match="cancelled"):
        fm.wait_for_training(show_progress=False)
    assert not fm.cancel()["cancelled"]
    fm.delete()


def test_models_are_made_in_the_chosen_cluster(
    own_home: Path, tmp_path: Path, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEATRIX_SERVER_CLUSTERS", json.dumps({"big": str(tmp_path / "big")}))
    featrix = FeatrixSphere("local")
    with pytest.raises(ValueError, match=r"'mars'(.|\n)*local, big"):
        featrix.set_compute_cluster("mars")
    before = featrix.create_foundational_model(df=people(60), epochs=1)
    featrix.set_compute_cluster("big")
    after = featrix.create_foundational_model(df=people(60), epochs=1)
    places = [fm.refresh()["session"]["compute_cluster"] for fm in (before, after)]
    assert places == ["local", "big"]
    assert (tmp_path / "big" / "sessions" / after.id).is_dir()
