"""``make demo``: the quickstart, run without a browser, as one page and its pictures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
def test_demo_writes_a_page_that_needs_no_network(tmp_path: Path, compile_cache: Path) -> None:
    home = tmp_path / "build" / "featrix"
    home.mkdir(parents=True)
    (home / "compile-cache").symlink_to(compile_cache)
    env = {k: v for k, v in os.environ.items() if not k.startswith("FEATRIX_")}
    env |= {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), str(tmp_path / "build")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    page = (tmp_path / "build" / "quickstart.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search(r"(src|href)=[\"']?https?:", page)
    assert not re.search(r"@import|url\([\"']?https?:", page)
    pictures = sorted((tmp_path / "build").glob("quickstart-*.png"))
    assert len(pictures) == 2  # the dashboard and the sphere
    assert page.count("data:image/png;base64,") >= len(pictures)
    for path in pictures:
        with Image.open(path) as picture:
            colors = picture.convert("RGB").resize((64, 64)).getcolors(64 * 64)
            assert colors is not None
            assert len(colors) > 50  # something is drawn
