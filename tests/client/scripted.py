"""A real HTTP server in a thread that answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """What a scripted server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What a scripted server says: a JSON value or bytes, or silence."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    chunks: tuple[bytes, ...] = ()


Script = Callable[[Request], Answer]


class ScriptedServer:
    """A real HTTP server in a thread that answers as a function says, and remembers."""

    def __init__(self, script: Script) -> None:
        self.requests: list[Request] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(
                    self.command, self.path, dict(self.headers.items()), self.rfile.read(length)
                )
                outer.requests.append(request)
                answer = script(request)
                if answer.hang_up:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                headers = dict(answer.headers)
                if answer.chunks:
                    headers["Transfer-Encoding"] = "chunked"
                    content = b"".join(
                        b"%x\r\n%s\r\n" % (len(part), part) for part in (*answer.chunks, b"")
                    )
                else:
                    raw = isinstance(answer.body, bytes)
                    content = answer.body if raw else json.dumps(answer.body).encode()
                    headers["Content-Length"] = str(len(content))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Keep the test output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def in_turn(*answers: Answer) -> Script:
    """Give the answers one after another, the last for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
