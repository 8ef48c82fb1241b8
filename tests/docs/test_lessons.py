"""The lessons of ``examples/`` under nbval, as a teacher without a browser checks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, embedded

EXAMPLES = ROOT / "examples"
LESSONS = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, compile_cache: Path) -> Iterator[Path]:
    """The lessons in a folder of their own, and a server behind them."""
    work = tmp_path_factory.mktemp("teacher")
    shutil.copytree(EXAMPLES, work / "examples")
    with embedded(work / "featrix", work, compile_cache):
        yield work / "examples"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_gives_what_is_stored_with_it(lesson: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax"]
    plain = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    done = subprocess.run(
        [*command, "--nbval-cell-timeout=300", lesson],
        cwd=folder,
        env={**plain, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
