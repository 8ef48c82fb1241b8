"""The lessons of ``examples/`` under nbval, as a teacher without a browser checks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, embedded


@pytest.mark.timeout(900)
def test_the_lessons_give_what_is_stored_with_them(tmp_path: Path, compile_cache: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-cell-timeout=600", "-q"]
    with embedded(tmp_path / "featrix", tmp_path, compile_cache):
        plain = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", "examples"],
            cwd=tmp_path,
            env={**plain, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
