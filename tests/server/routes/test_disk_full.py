"""A full disk: said clearly, nothing half-written left, and the server goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import Server, Trained, make_table, running_copy
from .test_gate import assert_envelope


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB; where mounting is not allowed, only the other test runs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs to be root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the space that is left."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


def test_an_upload_that_does_not_fit(make_server: Callable[..., Server], small_disk: Path) -> None:
    server = make_server(data_dir=small_disk)
    body = assert_envelope(server.upload(b"a,b\n1,2\n" * 1_000_000), 507, "disk_full")
    assert "space" in body["hint"]
    server.assert_nothing_left()
    server.assert_serving()


def test_nothing_fits_at_all(make_server: Callable[..., Server], small_disk: Path) -> None:
    server = make_server(data_dir=small_disk)
    path = server.create()
    ballast = fill(small_disk)
    before = sorted(server.settings.sessions_dir.rglob("*"))

    for _ in range(3):
        assert_envelope(server.upload(), 507, "disk_full")
    protect = server.http.post(f"{path}/deletion_protection", json={"protected": True})
    pause = server.http.post(f"{path}/control", json={"action": "pause"})
    for answer in (protect, pause):  # these may still fit into space the database has
        if answer.status_code != 200:
            assert_envelope(answer, 507, "disk_full")
    assert server.http.get("/health").status_code == 200
    assert server.http.get(path).status_code == 200
    assert server.http.get(f"{path}/columns").status_code == 200
    assert sorted(server.settings.sessions_dir.rglob("*")) == before

    ballast.unlink()
    server.assert_serving()
    assert len(server.http.get("/compute/sessions-for-org").json()["sessions"]) == 1


def test_a_clone_that_does_not_fit(trained: Trained, tmp_path: Path, small_disk: Path) -> None:
    with running_copy(trained, tmp_path / "data", clusters={"small": small_disk}) as model:
        fill(small_disk)
        clone = {"to_compute": "small", "new_session_name": "too big"}
        answer = model.server.http.post(f"{model.path}/clone_embedding_space", json=clone)
        assert_envelope(answer, 507, "disk_full")
        assert list((small_disk / "sessions").iterdir()) == []
        listed = model.server.http.get("/compute/sessions-for-org").json()["sessions"]
        assert [one["session_id"] for one in listed] == [model.session_id]
        clone["to_compute"] = "local"
        answer = model.server.http.post(f"{model.path}/clone_embedding_space", json=clone)
        assert answer.status_code == 200


def test_a_publishing_that_does_not_fit(trained: Trained, tmp_path: Path, small_disk: Path) -> None:
    with running_copy(trained, tmp_path / "data") as model:
        model.server.settings.published_dir.symlink_to(small_disk)
        ballast = fill(small_disk)
        for _ in range(2):
            answer = model.server.http.post(f"{model.path}/publish", json={"name": "big"})
            model.server.train()
            told = model.get(f"/publish_job/{answer.json()['job_id']}").json()
            assert told["status"] == "failed"
            assert "disk is full" in told["error"]
            assert "publish the model again" in told["error"]
            assert list(small_disk.iterdir()) == [ballast]
            session = model.get().json()["session"]
            assert (session["published_name"], session["deletion_protection"]) == (None, False)


LIMITED = """
import resource, signal, sys
from pathlib import Path
from fastapi.testclient import TestClient
from featrix_server.app import create_app
from featrix_server.settings import Settings

folder, table, limit = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), int(sys.argv[3])
app = create_app(Settings(data_dir=folder, api_key="fx_k"))
with TestClient(app, base_url="http://127.0.0.1", headers={"X-Api-Key": "fx_k"}) as http:
    def upload(content):
        files = {"file": ("t.csv", content)}
        return http.post("/compute/upload_with_new_session/", files=files)
    assert upload(table).status_code == 200
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # get an error, as from a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    answer = upload(b"a,b\\n1,2\\n" * limit)
    assert answer.status_code == 507, answer.text
    assert answer.json()["code"] == "disk_full"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert upload(table).status_code == 200
    assert len(list((folder / "sessions").iterdir())) == 2
"""


def test_files_limited_in_size_count_as_a_full_disk(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(make_table())
    arguments = [str(tmp_path / "data"), str(table), "1000000"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments],
        check=False,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
