"""Compiled programs on disk survive a process that is killed while it writes one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMPILE = """
import sys
from pathlib import Path
import jax
from featrix_server.engine import enable_compile_cache
enable_compile_cache(Path(sys.argv[1]))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: x * 3 + 1)(2.0).block_until_ready()
"""


def compiled(folder: Path) -> dict[str, bytes]:
    """Entries of the cache after a new process has compiled a program."""
    subprocess.run([sys.executable, "-c", COMPILE, str(folder)], check=True)
    return {entry.name: entry.read_bytes() for entry in folder.glob("*-cache")}


def test_a_half_written_entry_is_replaced_and_a_whole_one_kept(tmp_path: Path) -> None:
    whole = compiled(tmp_path)
    assert whole
    for length in (0, 1, 100):
        for name, content in whole.items():
            (tmp_path / name).write_bytes(content[:length])
        again = compiled(tmp_path)
        assert again.keys() == whole.keys()
        assert all(len(content) > 100 for content in again.values())
    written = {entry: entry.stat().st_mtime_ns for entry in tmp_path.glob("*-cache")}
    compiled(tmp_path)
    assert {entry: entry.stat().st_mtime_ns for entry in written} == written
