"""Bars of what takes long, and only of that."""

from __future__ import annotations

import threading

import pytest

from featrix_client import progress


def go_through(total: int | None = 3) -> None:
    with progress.slow_bar("Counting", total) as advance:
        for _ in range(3):
            advance(1)


def test_what_is_over_at_once_gets_no_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", 60)  # however slow the machine
    go_through()
    with progress.upload_bar("small.csv", 1000) as sent:
        sent(1000)
    assert capsys.readouterr().err == ""


def test_what_takes_long_gets_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", 0)
    go_through()
    assert "Counting: 100%" in capsys.readouterr().err
    go_through(None)
    assert "Counting: 00:0" in capsys.readouterr().err
    with progress.upload_bar("small.csv", 1000) as sent:
        sent(1000)
    assert "Uploading small.csv: 100%" in capsys.readouterr().err


def test_nothing_is_shown_beside_the_main_thread(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", 0)
    thread = threading.Thread(target=go_through)
    thread.start()
    thread.join()
    assert capsys.readouterr().err == ""
