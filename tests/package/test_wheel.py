"""The wheel, as a stranger gets it: built without Node, installed in an empty environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDGETS = sorted(p.stem for p in (ROOT / "js" / "src" / "widgets").glob("*.ts"))
PACKAGES = {"featrix", "featrix_client", "featrix_notebook", "featrix_server", "featrixsphere"}

IMPORT_BASE = """
import importlib.util
import featrix, featrix_client, featrix_notebook
from featrixsphere.api import FeatrixSphere
for module in (featrix_client, featrix_notebook):
    for name in module.__all__:
        getattr(module, name)
assert FeatrixSphere is featrix_client.FeatrixSphere
assert importlib.util.find_spec("jax") is None, "the base install must not bring the engine"
"""
IMPORT_LOCAL = """
import featrix_server.app, featrix_server.engine as engine
for name in engine.__all__:
    getattr(engine, name)
"""


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command; its output is in the failure message when it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)  # type: ignore[call-overload]  # any of them
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the tracked sources only, with no bundles and no Node on the path."""
    work = tmp_path_factory.mktemp("wheel")
    source, tools, dist = work / "source", work / "tools", work / "dist"
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, files.stdout.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    env = {**os.environ, "PATH": str(tools)}
    assert shutil.which("node", path=env["PATH"]) is None
    run(sys.executable, "-m", "build", "--wheel", "--outdir", dist, source, env=env)
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an empty environment that holds the wheel's base install."""
    env = tmp_path_factory.mktemp("env")
    run(sys.executable, "-m", "venv", env)
    run(env / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    return env / "bin" / "python"


@pytest.mark.timeout(600)
def test_wheel_holds_exactly_what_it_should(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.split("/")[0] for n in names if not re.match(r"[^/]*\.(dist-info|data)/", n)}
    assert tops == PACKAGES
    bundles = sorted(Path(n).stem for n in names if n.startswith("featrix_notebook/static/"))
    assert bundles == WIDGETS
    for needed in ("featrix_client/py.typed", "featrix_notebook/py.typed"):
        assert needed in names
    assert any(n.endswith("licenses/LICENSE") for n in names)
    assert any(n.startswith("featrix_server/migrations/versions/") for n in names)
    assert "featrixsphere/__init__.py" not in names  # a namespace package, beside the vendor's
    assert not [n for n in names if n.endswith((".ts", ".map", ".pyc", ".ipynb"))]


@pytest.mark.timeout(600)
def test_install_gives_jupyterlab_the_extension_it_asks_for(python: Path) -> None:
    folder = python.parents[1] / "share" / "jupyter" / "labextensions" / "featrix-notebook"
    about = json.loads((folder / "package.json").read_text())
    entry = folder / about["jupyterlab"]["_build"]["load"]
    assert "globalThis._JUPYTERLAB" in entry.read_text()
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        "package.json",
        "install.json",
        about["jupyterlab"]["_build"]["load"],
    }


@pytest.mark.timeout(600)
def test_base_install_imports_every_public_name(python: Path, tmp_path: Path) -> None:
    run(python, "-W", "error::DeprecationWarning:featrix", "-c", IMPORT_BASE, cwd=tmp_path)


@pytest.mark.timeout(600)
def test_server_command_without_the_engine_says_how_to_get_it(python: Path, tmp_path: Path) -> None:
    command = [python.parent / "featrix-server", "status"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    assert "featrix-notebook[local]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(600)
def test_local_extra_brings_server_and_engine(python: Path, wheel: Path, tmp_path: Path) -> None:
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[local]")
    run(python, "-c", IMPORT_LOCAL, cwd=tmp_path)
    listed = run(python, "-m", "pip", "list", "--format=freeze").stdout.lower()
    heavy = [line for line in listed.splitlines() if line.startswith(("torch=", "nvidia-", "cuda"))]
    assert not heavy, f"the CPU install must bring no GPU wheels: {heavy}"
