"""`kill -9` of the server while a table comes in: after the restart there is no half model."""

from __future__ import annotations

import socket
from collections.abc import Callable

import psutil

from .conftest import Host

UPLOAD = "/compute/upload_with_new_session/"
TABLE = b"a,b\n" + b"".join(
    b"%d,%d\n" % (n % 7, n) for n in range(5_000)
)  # more than is kept back before a write


def test_a_server_killed_during_an_upload(host: Host, until: Callable[..., None]) -> None:
    record = host.start()
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
