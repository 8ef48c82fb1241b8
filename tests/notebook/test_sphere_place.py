"""New records placed on a sphere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_notebook import SphereExplorer


class Model:
    """A model like the client's, of three rows."""

    name, status = "Plans", "done"

    def __init__(self, point: Any = (0.0, 0.0, 2.0)) -> None:
        self.point = point

    def get_projections(self) -> dict[str, Any]:
        axes = np.eye(3).tolist()
        return {"coords": [dict(zip("xyz", axis, strict=True)) | {"a": 1} for axis in axes]}

    def encode(self, records: list[dict[str, Any]], short: bool) -> list[dict[str, Any]]:
        return [{"embedding": list(self.point)} for _ in records]


def test_a_record_is_marked_until_it_is_removed() -> None:
    sphere = SphereExplorer(Model())
    first, second = sphere.place({"age": 41}), sphere.place({"age": None}, "who\ncalled")
    assert first.xyz == (0, 0, 1)
    assert (first.label, second.label) == ("record 1", "who called")
    assert sphere._placed[0]["values"] == [["age", "41"]]
    assert sphere.placed == [first, second]
    first.remove()
    first.remove()
    assert sphere.placed == [second]
    sphere._placed = []  # a reader took it away
    assert sphere.placed == []
    assert sphere.place({}).label == "record 3"


def test_what_cannot_be_placed_is_refused() -> None:
    with pytest.raises(ValueError, match="Only a model knows the place"):
        SphereExplorer(np.eye(3)).place({})
    with pytest.raises(ValueError, match="Only a model knows the place"):
        SphereExplorer(pd.DataFrame(np.eye(3), columns=list("xyz"))).place({})
    sphere = SphereExplorer(Model())
    with pytest.raises(ValueError, match="one record, a dict, not a list"):
        sphere.place([{}])  # type: ignore[arg-type]  # wrong on purpose
    for point in ((0, 0, 0), (1, 2), (np.nan, 0, 1)):
        with pytest.raises(ValueError, match="no place on the sphere"):
            SphereExplorer(Model(point)).place({})
    assert sphere.placed == []
