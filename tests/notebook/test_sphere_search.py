"""Search over the rows of a sphere, from Python and as the page asks for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from featrix_notebook import SphereExplorer

N = 60


@pytest.fixture
def rows() -> pd.DataFrame:
    age = np.arange(N, dtype=float)
    age[7] = np.nan
    return pd.DataFrame(
        {
            "plan": ["Basic", "pro", None, "<b>pro</b>"] * 15,
            "age": age,
            "vip": [True, False] * 30,
            "joined": pd.date_range("2024-01-01 12:00", periods=N, freq="D"),
            "tags": [["a", i % 2] for i in range(N)],
        },
        index=[f"id-{i}" for i in range(N)],
    )


@pytest.fixture
def sphere(rows: pd.DataFrame) -> SphereExplorer:
    return SphereExplorer(np.random.default_rng(0).normal(size=(N, 3)), rows=rows)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (("plan", "contains", "PRO"), [i for i in range(N) if i % 4 in (1, 3)]),
        (("plan", "equals", "Basic"), range(0, N, 4)),
        (("plan", "equals", "basic"), []),
        (("plan", "differs", "pro"), [i for i in range(N) if i % 4 in (0, 3)]),
        (("plan", "missing"), range(2, N, 4)),
        (("plan", "present"), [i for i in range(N) if i % 4 != 2]),
        (("age", ">=", 58), [58, 59]),
        (("age", ">=", "58.0"), [58, 59]),
        (("age", "differs", 3), [i for i in range(N) if i not in (3, 7)]),
        (("age", "missing"), [7]),
        (("vip", "equals", True), range(0, N, 2)),
        (("joined", "equals", "2024-01-05"), [4]),
        (("joined", "<=", "2024-01-02"), [0, 1]),
        (("joined", "<", pd.Timestamp("2024-01-02")), [0]),
        (("tags", "contains", ", 1]"), range(1, N, 2)),
        ((None, "contains", "58"), [58]),
        ((None, "missing"), [2, *(i for i in range(3, N) if i % 4 == 2 or i == 7)]),
    ],
)
def test_rows_are_found(
    sphere: SphereExplorer, rows: pd.DataFrame, question: tuple[Any, ...], found: Any
) -> None:
    expected = rows.iloc[list(found)]
    pd.testing.assert_frame_equal(sphere.search(*question), expected)
    assert sphere.selected_ids == []


def test_what_is_found_can_be_selected(sphere: SphereExplorer) -> None:
    sphere.search("age", "<", 2, select=True)
    assert sphere.selected_ids == ["id-0", "id-1"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (("plna", "equals", "pro"), "no column 'plna'. Did you mean 'plan'"),
        (("plan", "contain", "pro"), "no operator 'contain'. Did you mean 'contains'"),
        (("plan", "<", "pro"), "'plan' holds text: ask with one of 'contains'"),
        (("age", "contains", "4"), "'age' holds numbers"),
        (("age", "<", "old"), "'old' is none"),
        (("age", "<", None), "Say what to look for"),
        (("plan", "contains", ""), "Say what to look for"),
        (("joined", "<", "soon"), "'soon' is none: write it as 2024-01-31"),
        (("joined", "<", None), "Say what to look for"),
        ((None, "contains", ""), "No column can be asked"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    sphere: SphereExplorer, question: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        sphere.search(*question)


def test_the_page_is_told_points_in_table_order(sphere: SphereExplorer) -> None:
    sent: list[Any] = []
    sphere.send = lambda content, buffers=None: sent.append((content, buffers))

    def ask(**question: Any) -> Any:
        sphere._handle_custom_msg({"kind": "search", "id": "s1", **question}, [])
        return sent.pop()

    answer, (buffer,) = ask(column=1, operator=">", value="56")
    assert answer["id"] == "s1"
    points = np.frombuffer(buffer, "<u4")
    assert sphere._order[points].tolist() == [57, 58, 59]
    assert "no column number" in ask(column=99, operator="missing")[0]["error"]
    assert "holds numbers" in ask(column=1, operator="contains", value="5")[0]["error"]
    kinds = [column["kind"] for column in sphere._columns]
    assert kinds == ["text", "number", "text", "date", "text"]


def test_names_that_repeat_and_no_columns_at_all() -> None:
    xyz = np.random.default_rng(0).normal(size=(4, 3))
    doubled = pd.DataFrame(np.arange(8).reshape(4, 2), columns=["a", "a"])
    assert len(SphereExplorer(xyz, rows=doubled).search("a", ">", 2)) == 2
    with pytest.raises(ValueError, match="Known: none"):
        SphereExplorer(xyz).search("a", "missing")
    with pytest.raises(ValueError, match="No column can be asked"):
        SphereExplorer(xyz).search(None, "missing")
