"""The command line: one server a data folder, found, replaced, stopped and read about."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from featrix_server.__main__ import NOT_RUNNING
from featrix_server.process import SERVER_FILE, START_LOCK, find_running, read_record

Until = Callable[..., None]


def test_start_status_logs_stop(host: Any) -> None:
    assert host.run("status").returncode == NOT_RUNNING

    started = host.run("start")
    assert started.returncode == 0, started.stderr
    record = read_record(host.data_dir)
    assert record is not None
    assert record.url in started.stdout
    assert str(host.data_dir) in started.stdout
    assert re.fullmatch(r"fx_local_[\w-]{20,}", record.key)
    assert stat.S_IMODE((host.data_dir / SERVER_FILE).stat().st_mode) == 0o600
    assert host.api(record).get("/health").json()["status"] == "ok"

    again = host.run("start")
    assert (again.returncode, again.stdout.startswith("Already running:")) == (0, True)
    status = host.run("status")
    assert (status.returncode, record.url in status.stdout) == (0, True)
    logs = host.run("logs", "-n", "100")
    assert f"at {record.url}" in logs.stdout
    for said in (started, again, status, logs):
        assert record.key not in said.stdout + said.stderr

    stopped = host.run("stop")
    assert (stopped.returncode, record.url in stopped.stdout) == (0, True)
    assert not (host.data_dir / SERVER_FILE).exists()
    assert not host.processes()
    assert host.run("stop").stdout.startswith("No server runs")


def test_the_key_outlives_the_server_and_is_in_no_log(host: Any) -> None:
    first = host.start()
    host.api(first).get("/compute/sessions-for-org")
    host.run("stop")
    assert host.start().key == first.key
    assert first.key not in (host.data_dir / "server.log").read_text()


def test_nobody_else_can_read_what_the_server_keeps(host: Any) -> None:
    (host.data_dir / "compile-cache").unlink()
    host.data_dir.rmdir()
    host.start()
    assert stat.S_IMODE(host.data_dir.stat().st_mode) == 0o700
    rows = b"".join(b"%d,%d\n" % (n % 7, n) for n in range(60))
    with host.api() as api:
        answer = api.post(
            "/compute/upload_with_new_session/", files={"file": ("t.csv", b"a,b\n" + rows)}
        )
        assert answer.status_code == 200, answer.text
    host.data_dir.chmod(0o755)  # as a folder may be that was there before
    open_to_others = [
        path
        for path in host.data_dir.rglob("*")
        if path.stat().st_mode & 0o077 and path.name != START_LOCK
    ]
    assert not open_to_others


def test_ten_starts_at_once_give_one_server(host: Any) -> None:
    starting = [host.spawn("start") for _ in range(10)]
    outputs = [process.communicate(timeout=90) for process in starting]
    assert [process.returncode for process in starting] == [0] * 10, outputs
    urls = {re.search(r"http://[\d.:]+", output)[0] for output, _ in outputs}  # type: ignore[index]  # no match fails the test too
    assert len(urls) == 1
    servers = [one for one in host.processes() if "serve" in one.cmdline()]
    assert len(servers) == 1


def test_a_second_server_on_the_folder_refuses(host: Any) -> None:
    record = host.start()
    second = host.run("serve")
    assert second.returncode == 1
    assert record.url in second.stderr
    assert find_running(host.data_dir) == record


def test_a_killed_server_is_replaced(host: Any, until: Until) -> None:
    killed = host.start()
    workers = host.workers()
    psutil.Process(killed.pid).kill()
    until(lambda: not any(worker.is_running() for worker in workers))
    assert host.run("status").returncode == NOT_RUNNING
    assert (host.data_dir / SERVER_FILE).exists()  # stale
    fresh = host.start()
    assert fresh.pid != killed.pid


@contextmanager
def other_program() -> Iterator[int]:
    """A web server that is not ours, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "ok", "version": "0+source"}')

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_record_whose_port_and_process_are_others_now_is_not_believed(host: Any) -> None:
    with other_program() as port:
        stale = {
            "pid": os.getpid(),
            "host": "127.0.0.1",
            "port": port,
            "key": "fx_local_stale",
            "version": "0+source",
            "started_at": 0.0,
        }
        (host.data_dir / SERVER_FILE).write_text(json.dumps(stale))
        assert host.run("stop").stdout.startswith("No server runs")  # and we are still alive
        assert host.start().port != port


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_record_is_replaced(host: Any, text: str) -> None:
    (host.data_dir / SERVER_FILE).write_text(text)
    assert find_running(host.data_dir) is None
    if not text:
        host.start()


def test_a_taken_port_is_told_and_leaves_nothing(host: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for command in ("start", "serve"):
            refused = host.run(command, "--port", str(port))
            assert refused.returncode == 2
            assert f"port {port} on 127.0.0.1 is already in use" in refused.stderr
            assert "--port" in refused.stderr
            assert "Traceback" not in refused.stderr
    assert not (host.data_dir / SERVER_FILE).exists()
    assert host.start("--port", str(port)).port == port


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_a_server_in_the_foreground_tidily(
    host: Any, until: Until, signal_number: int
) -> None:
    with host.spawn("serve") as process:
        until(lambda: find_running(host.data_dir))
        process.send_signal(signal_number)
        _, errors = process.communicate(timeout=15)
    assert process.returncode == 0, errors
    assert not (host.data_dir / SERVER_FILE).exists()
    assert not host.processes()


def test_an_idle_server_stops_by_itself(host: Any, until: Until) -> None:
    record = host.start(FEATRIX_SERVER_IDLE_TIMEOUT_S="1.5")
    with host.api(record) as api:
        for _ in range(8):  # requests keep it up for longer than its patience
            assert api.get("/health").status_code == 200
            time.sleep(0.25)
    until(lambda: not (host.data_dir / SERVER_FILE).exists(), 10)
    until(lambda: not host.processes(), 10)


def test_the_log_can_be_followed(host: Any, until: Until, tmp_path: Path) -> None:
    host.start()
    seen = tmp_path / "seen"
    with seen.open("w") as output:
        command, env, cwd = host.command("logs", "-f", "-n", "1")
        following = subprocess.Popen(command, env=env, cwd=cwd, stdout=output)
    until(lambda: len(seen.read_text().splitlines()) == 1)
    host.run("stop")
    until(lambda: "stopped" in seen.read_text())
    following.send_signal(signal.SIGINT)
    assert following.wait(10) == 130


def test_logs_of_a_server_that_never_ran(host: Any) -> None:
    none = host.run("logs")
    assert (none.returncode, "no log yet" in none.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("start", "--port", "seventy"), "'seventy' is not a port"),
        (("start", "--port", "70000"), "'70000' is not a port"),
        (("begin",), "invalid choice: 'begin'"),
    ],
)
def test_wrong_arguments_are_told(host: Any, arguments: tuple[str, ...], expected: str) -> None:
    refused = host.run(*arguments)
    assert refused.returncode == 2
    assert expected in refused.stderr


def test_wrong_settings_are_told(host: Any) -> None:
    refused = host.run("start", FEATRIX_SERVER_WORKERS="none")
    assert refused.returncode == 1
    assert "workers" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_without_the_extra_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    # A Python that sees this package and nothing else: no site-packages.
    repository = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-S", "-m", "featrix_server", "start", "--data-dir", str(tmp_path)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'featrix-notebook[local]'" in done.stderr
    assert "Traceback" not in done.stderr
