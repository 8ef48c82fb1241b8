"""Sharing transactions between threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from featrix_server.group_commit import GroupCommit


def test_those_who_come_while_somebody_commits_share_the_next_one() -> None:
    groups: list[list[int]] = []
    first_runs, go_on = threading.Event(), threading.Event()

    def commit(items: list[int]) -> None:
        groups.append(items)
        first_runs.set()
        assert go_on.wait(10)

    commits = GroupCommit(commit)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(commits.add, 0)
        assert first_runs.wait(10)
        others = [threads.submit(commits.add, number) for number in range(1, 9)]
        while len(commits._waiting) < 8:
            pass
        assert not any(one.done() for one in others)
        go_on.set()
        for one in (first, *others):
            one.result(10)
    assert [sorted(group) for group in groups] == [[0], list(range(1, 9))]


def test_a_failure_is_told_only_to_the_one_it_belongs_to() -> None:
    kept: list[int] = []

    def commit(items: list[int]) -> None:
        if 13 in items:
            raise ValueError("13 is not kept")
        kept.extend(items)

    commits = GroupCommit(commit)
    with ThreadPoolExecutor(8) as threads:
        asked = {number: threads.submit(commits.add, number) for number in range(200)}
        for number, one in asked.items():
            if number == 13:
                with pytest.raises(ValueError, match="13 is not kept"):
                    one.result(10)
            else:
                one.result(10)
    assert sorted(kept) == [number for number in range(200) if number != 13]
