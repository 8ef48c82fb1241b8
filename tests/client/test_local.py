"""The embedded server: found, started once, replaced when stale, and clear when it cannot be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from featrix_client import FeatrixAuthenticationError, FeatrixLocalServerError, FeatrixSphere, local
from featrix_client.local import data_folder, ensure_server
from featrix_client.transport import Address, Transport
from featrix_server.settings import default_data_dir
from tests.client.scripted import Answer, in_turn


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"XDG_DATA_HOME": "/srv/data"},
        {"XDG_DATA_HOME": "relative"},
        {"XDG_DATA_HOME": ""},
        {"FEATRIX_HOME": "/srv/featrix", "XDG_DATA_HOME": "/srv/data"},
        {"FEATRIX_HOME": "~/models"},
    ],
)
def test_client_and_server_agree_on_the_data_folder(environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert data_folder() == default_data_dir()


def test_a_running_server_is_used(featrix, server_home, capsys):
    start = time.monotonic()
    again = FeatrixSphere("local")
    assert time.monotonic() - start < 0.5
    assert again.url == featrix.url
    assert capsys.readouterr().out.count("Featrix: using the embedded server at") == 1
    info = json.loads((server_home / "server.json").read_text())
    assert again._transport.address == Address(again.url, info["key"])
    assert info["key"].startswith("fx_local_")
    if os.name == "posix":
        assert (server_home / "server.json").stat().st_mode & 0o077 == 0
        assert server_home.stat().st_mode & 0o077 == 0


def test_the_folder_of_another_user_stays_closed(featrix, server_home, as_nobody):
    with (
        as_nobody(server_home),
        pytest.raises(FeatrixLocalServerError, match=r"Permission denied(.|\n)*FEATRIX_HOME"),
    ):
        FeatrixSphere("local")


@pytest.fixture
def as_nobody():
    """A context in which a folder's modes count as they do for another user."""

    @contextmanager
    def switch(folder):
        is_root = os.geteuid() == 0
        before = folder.stat().st_mode
        if is_root:
            os.seteuid(65534)
        else:
            folder.chmod(0)
        try:
            yield
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(before)

    return switch


def test_ten_at_once_start_one_server(own_home):
    code = (
        "from featrix_client import FeatrixSphere; sphere = FeatrixSphere();"
        "print(sphere.health_check()['pid'], sphere.list_sessions())"
    )
    notebooks = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(10)
    ]
    said = [notebook.communicate(timeout=60)[0].splitlines()[-1] for notebook in notebooks]
    info = json.loads((own_home / "server.json").read_text())
    assert set(said) == {f"{info['pid']} []"}
    servers = [
        process.pid
        for process in psutil.process_iter()
        if "serve" in (words := _command(process)) and str(own_home) in words
    ]
    assert servers == [info["pid"]]
    assert psutil.Process(info["pid"]).cwd() == str(own_home)  # not some notebook's folder


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_killed_server_is_replaced_between_two_calls(own_home):
    sphere = FeatrixSphere()
    first = json.loads((own_home / "server.json").read_text())
    _kill(first["pid"])
    assert (own_home / "server.json").exists()  # it had no time to clean up
    assert sphere.list_sessions() == []
    second = json.loads((own_home / "server.json").read_text())
    assert second["pid"] != first["pid"]
    assert sphere.url == f"http://127.0.0.1:{second['port']}"


def _kill(pid: int) -> None:
    server = psutil.Process(pid)
    workers = server.children(recursive=True)
    server.kill()
    _, left = psutil.wait_procs([server, *workers], timeout=10)
    assert not left


@pytest.mark.parametrize(
    "note",
    [
        "{",
        '{"pid": 999999999, "host": "127.0.0.1", "port": 9, "key": "k", "version": "0"}',
        '{"pid": THIS, "host": "127.0.0.1", "port": TAKEN, "key": "k", "version": "0"}',
    ],
)
def test_a_stale_or_broken_note_is_not_believed(own_home, note, serve):
    other = serve(in_turn(Answer({"status": "ok", "pid": 1})))  # someone else's, on that port
    port = other.url.rpartition(":")[2]
    own_home.mkdir()
    note = note.replace("THIS", str(os.getpid())).replace("TAKEN", port)
    (own_home / "server.json").write_text(note)
    server = ensure_server()
    assert server.pid == json.loads((own_home / "server.json").read_text())["pid"]
    assert not any("X-Api-Key" in request.headers for request in other.requests)


def test_a_server_of_another_version_makes_way(own_home, monkeypatch):
    old = ensure_server()
    info = json.loads((own_home / "server.json").read_text())
    (own_home / "server.json").write_text(json.dumps(info | {"version": "0.0.1"}))
    new = ensure_server()
    assert new.pid != old.pid
    assert not psutil.pid_exists(old.pid) or psutil.Process(old.pid).status() == "zombie"


def test_a_taken_port_is_told_with_the_log(own_home, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("FEATRIX_SERVER_PORT", str(port))
        with pytest.raises(FeatrixLocalServerError, match=f"port {port}(.|\n)*in use") as caught:
            FeatrixSphere()
    assert str(own_home / "server.log") in str(caught.value)
    monkeypatch.delenv("FEATRIX_SERVER_PORT")
    assert FeatrixSphere().health_check()["status"] == "ok"  # the next try is not hindered


def test_a_missing_server_package_is_told(own_home, monkeypatch):
    monkeypatch.setattr(local, "_REQUIRED", ("featrix_server", "no_such_module"))
    with pytest.raises(RuntimeError, match="no_such_module") as caught:
        FeatrixSphere()
    assert "pip install 'featrix-notebook[local]'" in caught.value.hint
    assert not (own_home / "server.log").exists()


def test_an_unusable_data_folder_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FEATRIX_HOME", str(tmp_path / "file"))
    with pytest.raises(FeatrixLocalServerError, match="FEATRIX_HOME"):
        FeatrixSphere()


def test_the_server_outlives_who_started_it_and_needs_no_module_of_theirs(own_home, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('a notebook folder is not for imports')")
    code = "import sys; sys.path.pop(0); import featrix_client as f; print(f.FeatrixSphere().url)"
    environment = os.environ | {"PYTHONPATH": str(Path(local.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    url = done.stdout.splitlines()[-1]
    assert ensure_server().url == url


def test_a_wrong_key_is_refused(featrix):
    with pytest.raises(FeatrixAuthenticationError, match="key is missing or wrong"):
        Transport(Address(featrix.url, "fx_wrong")).get("/compute/sessions-for-org")
