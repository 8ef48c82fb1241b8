"""What all tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def embedded(data: Path, user: Path, compile_cache: Path) -> Iterator[None]:
    """An embedded server of its own: its data folder, and the user's home folder.

    It is started by whoever connects first, and stopped in the end.
    """
    data.mkdir(exist_ok=True)
    (data / "compile-cache").symlink_to(compile_cache)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FEATRIX_")]:
            patch.delenv(name)
        patch.setenv("FEATRIX_HOME", str(data))
        patch.setenv("HOME", str(user))
        yield
        stop = [sys.executable, "-m", "featrix_server", "stop"]
        subprocess.run(stop, cwd=ROOT, check=True, timeout=60)


@pytest.fixture(scope="session")
def compile_cache(pytestconfig: pytest.Config) -> Path:
    """One folder of compiled programs for all servers, kept from one test run to the next."""
    cache: pytest.Cache = pytestconfig.cache  # type: ignore[assignment]  # None without the plugin
    return cache.mkdir("featrix-compile-cache")


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C as Python begins with it: drivers and converters of notebooks leave it otherwise."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if before is not None:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A fresh IPython shell, as a notebook's kernel has one."""
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    yield shell
    shell.restore_sys_module_state()
