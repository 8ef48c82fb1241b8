"""What becomes of models beside and after their training, through the client."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from featrix_client import FeatrixHTTPError, FeatrixSphere

People = Callable[..., pd.DataFrame]


def test_a_checkpoint_can_be_used_while_the_training_runs(
    featrix: FeatrixSphere, people: People
) -> None:
    fm = featrix.create_foundational_model(name="long run", df=people(300), epochs=2000)
    with pytest.raises(FeatrixHTTPError, match="saved no checkpoint yet") as early:
        fm.publish_checkpoint("too early", "my org")
    assert early.value.status == 409
    while fm.refresh() and (fm.epochs or 0) < 12:
        assert fm.status == "training"
        time.sleep(0.05)

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
    taken.delete()
