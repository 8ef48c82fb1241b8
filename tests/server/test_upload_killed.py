"""An upload that breaks off on either side leaves no half model, and can be made again."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from featrix_server.process import read_record

from .conftest import Host

UPLOAD = "/compute/upload_with_new_session/"
TABLE = b"a,b\n" + b"".join(
    b"%d,%d\n" % (n % 7, n) for n in range(5_000)
)  # more than is kept back before a write


@contextmanager
def half_sent(host: Host, until: Callable[..., None]) -> Iterator[None]:
    """While this is open, the first part of a table is on the server's disk."""
    record = read_record(host.data_dir)
    assert record is not None
    head = (
        f"POST {UPLOAD} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: {record.key}\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 9999999\r\n"
        "X-Featrix-Idempotency-Key: once\r\n\r\n--B\r\n"
        'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    )
    sessions = host.data_dir / "sessions"
    with socket.create_connection((record.host, record.port)) as connection:
        connection.sendall(head.encode() + TABLE)
        until(lambda: [path for path in sessions.glob(".new-*/*") if path.stat().st_size])
        yield


def test_an_upload_that_breaks_off(host: Host, until: Callable[..., None]) -> None:
    record = host.start()
    sessions = host.data_dir / "sessions"
    with half_sent(host, until):
        pass
    until(lambda: not list(sessions.iterdir()))
    with host.api(record) as api:
        assert api.get("/compute/sessions-for-org").json() == {"sessions": []}
    with half_sent(host, until):
        server = psutil.Process(record.pid)
        server.kill()
        server.wait(10)
    with host.api(host.start()) as api:
        assert api.get("/compute/sessions-for-org").json() == {"sessions": []}
        assert all(path.name.startswith(".") for path in sessions.iterdir())  # swept when old
        answer = api.post(
            UPLOAD,
            files={"file": ("a.csv", TABLE)},
            data={"epochs": "1"},
            headers={"X-Featrix-Idempotency-Key": "once"},
        )
        assert answer.status_code == 200, answer.text
        (listed,) = api.get("/compute/sessions-for-org").json()["sessions"]
        assert listed["session_id"] == answer.json()["session_id"]
