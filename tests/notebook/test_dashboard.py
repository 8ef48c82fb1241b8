"""TrainingDashboard on the Python side: what it takes, what it says, what it stores."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from featrix_notebook import TrainingDashboard
from featrix_notebook.widgets.base import VIEW_MIME


def rows(widget: TrainingDashboard, run: int = 0) -> pd.DataFrame:
    """What a page without a kernel can read."""
    message = widget.snapshot["message"]
    described = message["parts"][run]
    data = base64.b64decode(widget.snapshot["buffers"][run])
    block = np.frombuffer(data, "<f8").reshape(described["shape"])
    return pd.DataFrame(block, columns=message["columns"][run])


@pytest.mark.parametrize(
    "log",
    [
        {"loss": [3.0, 2.0, 1.0], "val_loss": [3.5, None, 1.5]},
        {"train_loss": np.array([3.0, 2.0, 1.0]), "Validation_Loss": [3.5, np.nan, 1.5]},
        pd.DataFrame({"epochs": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "val loss": [3.5, None, 1.5]}),
        pd.DataFrame({"note": ["a", "b", "c"], "loss": [3.0, 2, 1], "eval_loss": [3.5, None, 1.5]}),
    ],
)
def test_logs_in_many_shapes_show_the_same(log: Any) -> None:
    table = rows(TrainingDashboard(log))
    assert table["epoch"].tolist() == [1, 2, 3]
    assert table["loss"].tolist() == [3, 2, 1]
    np.testing.assert_array_equal(table["validation_loss"], [3.5, np.nan, 1.5])
    assert "note" not in table


def test_several_logs_keep_their_names() -> None:
    widget = TrainingDashboard(
        {"small": {"loss": [2.0]}, "large": pd.DataFrame({"loss": [1.0, 0.5]})}
    )
    assert [run["name"] for run in widget.snapshot["message"]["runs"]] == ["small", "large"]
    assert rows(widget, 1)["loss"].tolist() == [1.0, 0.5]
    listed = TrainingDashboard([{"loss": [2.0]}, {"loss": [1.0]}])
    assert [run["name"] for run in listed.snapshot["message"]["runs"]] == ["log 1", "log 2"]


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        (3, TypeError, "a int is neither"),
        ("model-id", TypeError, "a str is neither"),
        (None, TypeError, "NoneType is neither"),
        ([1, 2], TypeError, "a int is neither"),
        ({"a": 3}, TypeError, "a int is neither"),
        ({}, ValueError, "nothing to show"),
        ([], ValueError, "nothing to show"),
        ({"loss": ["x", "y"]}, ValueError, "no column of numbers"),
        ({"epoch": [1, 2]}, ValueError, "no column of numbers"),
        ({"loss": [1.0, 2.0], "lr": [1.0]}, ValueError, "loss 2, lr 1"),
        ({"lr": [1.0], "Learning rate": [1.0]}, ValueError, "Two columns .* 'learning_rate'"),
        ({"loss": [1.0, 2.0], "epoch": [2, 1]}, ValueError, "must be numbers that rise"),
        ({"loss": [1.0, 2.0], "epoch": [1, None]}, ValueError, "must be numbers that rise"),
    ],
)
def test_bad_input_is_explained(given: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        TrainingDashboard(given)


def test_an_empty_log_waits() -> None:
    widget = TrainingDashboard({"loss": []})
    assert widget.snapshot_png() is None
    assert "image/png" not in widget.mime_bundle()


def test_outputs_say_what_the_curve_shows() -> None:
    widget = TrainingDashboard(
        {"loss": [3.0, 2.0, 1.0], "val_loss": [3.5, 1.4, 1.5], "lr": [1e-3, 1e-3, 5e-4]}
    )
    data = widget.mime_bundle()
    assert repr(widget) == data["text/plain"]
    assert "epoch 3, training loss 1, validation loss 1.5" in data["text/plain"]
    assert data[VIEW_MIME]["model_id"] == widget.model_id
    with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as image:
        assert image.width > 1000
        colours = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 50


def test_the_picture_leaves_the_users_matplotlib_alone() -> None:
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    TrainingDashboard({"$a$": {"loss": [1.0]}, "_b": {"loss": [2.0]}}).mime_bundle()
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_requests_of_the_page_come_from_a_closed_list() -> None:
    widget = TrainingDashboard({"loss": [1.0]})
    sent: list[Any] = []
    widget.send = lambda content, buffers=None: sent.append(content)
    widget._control({"kind": "control", "id": "1", "run": 0, "action": "rm -rf"})
    widget._control({"kind": "control", "id": "2", "run": 9, "action": "stop"})
    widget._control({"kind": "control", "id": "3", "run": 0, "action": "stop"})
    assert [reply["id"] for reply in sent] == ["1", "2", "3"]
    assert "Unknown action" in sent[0]["error"]
    assert "no run 9" in sent[1]["error"]
    assert "plain log cannot" in sent[2]["error"]
    widget._receive(widget, "nonsense", [])
    widget._receive(widget, {"kind": "resync"}, [])
    assert sent[3]["kind"] == "state"


def test_misspelt_options_are_refused() -> None:
    with pytest.raises(TypeError, match="no argument 'smoth'"):
        TrainingDashboard({"loss": [1.0]}, smoth=1)


def test_places_beside_epochs_are_kept_and_are_no_curves() -> None:
    log = {"epoch": [1, 2], "global_step": [10, 20], "Elapsed": [1.5, 3.0], "loss": [2.0, 1.0]}
    table = rows(TrainingDashboard(log))
    assert table[["epoch", "step", "time"]].to_numpy().tolist() == [[1, 10, 1.5], [2, 20, 3.0]]
    stepped = rows(TrainingDashboard({"step": [10, 20], "loss": [2.0, 1.0]}))
    assert stepped["epoch"].tolist() == stepped["step"].tolist() == [10, 20]
    with pytest.raises(ValueError, match=r"The steps of .* must be numbers that rise"):
        TrainingDashboard({"step": [20, 10], "loss": [2.0, 1.0]})
    with pytest.raises(ValueError, match="no column of numbers"):
        TrainingDashboard({"step": [10, 20], "time": [1.0, 2.0]})
