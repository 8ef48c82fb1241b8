"""`kill -9` in the middle of publishing and cloning: nothing half-made is ever to be seen."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from featrix_server.db import SessionRow, open_database
from featrix_server.process import find_running
from featrix_server.settings import Settings

from .conftest import Host

pytestmark = pytest.mark.timeout(300)

MANY = 3000  # small files, each written through to the disk: publishing takes a moment


def add_model(data_dir: Path, session_id: str) -> Path:
    """Put a finished model with very many files into a data folder; return its own folder."""
    settings = Settings(data_dir=data_dir)
    database = open_database(settings)
    with database.write() as session:
        session.add(SessionRow(id=session_id, name="Many files", status="done"))
    database.close()
    folder = settings.sessions_dir / session_id
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"model_identification": {}}))
    for n in range(MANY):
        (folder / "checkpoints" / f"file_{n:04d}").write_bytes(bytes(100))
    return folder


def errand_workers(host: Host) -> list[psutil.Process]:
    return [one for one in host.workers() if one.cmdline()[-1] == "errands"]


def test_killed_while_publishing_and_cloning(
    host: Host, tmp_path: Path, until: Callable[..., None]
) -> None:
    session_id = "many-files-1"
    folder, path = add_model(host.data_dir, session_id), f"/compute/session/{session_id}"
    clusters = {"FEATRIX_SERVER_CLUSTERS": json.dumps({"far": str(tmp_path / "far")})}
    with host.api(host.start(**clusters)) as api:
        job_id = api.post(f"{path}/publish", json={"name": "lasting"}).json()["job_id"]

        def job() -> dict[str, Any]:
            told: dict[str, Any] = api.get(f"{path}/publish_job/{job_id}").json()
            return told

        published = host.data_dir / "published"
        until(lambda: begun(published), 60)
        (worker,) = errand_workers(host)
        worker.kill()
        assert api.get("/compute/session/lasting").status_code == 404
        until(lambda: job()["status"] == "completed", 120)
        copy = Path(job()["published_path"])
        assert tree(copy) == tree(folder)
        assert api.get("/compute/session/lasting").status_code == 200

        far = tmp_path / "far" / "sessions"
        asking = threading.Thread(target=ask_for_clone, args=(host, path))
        asking.start()
        until(lambda: begun(far), 60)
        server = find_running(host.data_dir)
        assert server is not None
        psutil.Process(server.pid).kill()
        asking.join(60)
        until(lambda: not host.processes(), 60)
    clones = [one.name for one in far.iterdir() if not one.name.startswith(".")]
    for left in [*far.iterdir(), *published.iterdir()]:
        os.utime(left, (time.time() - 7200,) * 2)
    with host.api(host.start(**clusters)) as api:
        listed = [
            one["session_id"] for one in api.get("/compute/sessions-for-org").json()["sessions"]
        ]
        assert {session_id} <= {*listed} <= {session_id, *clones}
        assert all(
            api.get(f"/compute/session/{one}/model_card").status_code == 200 for one in listed
        )
        assert api.get("/compute/session/lasting").json()["session"]["session_id"] == session_id
        assert [one.name for one in published.iterdir()] == [session_id]
        assert {one.name for one in far.iterdir()} == {*listed} - {session_id}


def ask_for_clone(host: Host, path: str) -> None:
    try:
        with host.api() as api:
            api.post(f"{path}/clone_embedding_space", json={"to_compute": "far"})
    except httpx.HTTPError:
        """The server was killed meanwhile: that is what this is about."""


def begun(folder: Path) -> bool:
    return folder.exists() and any(
        one.name.startswith(".new-") and any(one.iterdir()) for one in folder.iterdir()
    )


def tree(folder: Path) -> dict[str, bytes]:
    files = (one for one in folder.rglob("*") if one.is_file())
    return {str(one.relative_to(folder)): one.read_bytes() for one in files}
