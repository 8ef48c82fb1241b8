"""Making models from files behind URLs: https and s3 against servers of the test's own."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from .conftest import Server, make_table
from .test_gate import assert_envelope

CREATE = "/compute/create-embedding-space"


@dataclass
class Site:
    """A web server of the test: what it answers at each path, and what it was asked."""

    url: str = ""
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    delay_s: float = 0.0


def serve_site(site: Site, context: ssl.SSLContext | None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append(self.path)
            time.sleep(site.delay_s)
            status, headers, body = site.pages.get(self.path, (404, {}, b"no"))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    return server


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An https site that requests trusts."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    site = Site(pages={"/data/table.csv": (200, {}, make_table())})
    server = serve_site(site, context)
    site.url = f"https://localhost:{server.server_address[1]}"
    yield site
    server.shutdown()
    server.server_close()


def create(server: Server, url: str, **more: Any) -> httpx.Response:
    return server.http.post(CREATE, json={"s3_file_data_set_training": url, **more})


def test_a_file_behind_https_makes_a_model(server: Server, site: Site) -> None:
    answer = create(
        server,
        f"{site.url}/data/table.csv",
        name="From afar",
        session_name_prefix="afar",
        ignore_columns=["note"],
        epochs=5,
        webhooks={},
        user_metadata='{"a": 1}',
        foundation_mode=False,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["session_id"].startswith("afar-")
    path = f"/compute/session/{answer.json()['session_id']}"
    session = server.http.get(path).json()["session"]
    assert session["user_metadata"] == {"a": 1}
    assert session["name"] == "From afar"
    assert session["columns"] == ["plan", "age", "price"]


def test_redirects_are_followed_to_https_only(server: Server, site: Site) -> None:
    site.pages["/moved"] = (302, {"Location": "/data/table.csv"}, b"")
    assert create(server, f"{site.url}/moved").status_code == 200
    for target in ("http://127.0.0.1:9/x.csv", "file:///etc/passwd", "ftp://localhost/x"):
        site.pages["/moved"] = (302, {"Location": target}, b"")
        body = assert_envelope(create(server, f"{site.url}/moved"), 422, "invalid_input")
        assert "not https" in body["error"]
    site.pages["/moved"] = (302, {"Location": "/moved"}, b"")
    assert_envelope(create(server, f"{site.url}/moved"), 422, "invalid_input")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/table.csv",
        "HTTP://example.com/table.csv",
        "file:///etc/passwd",
        "/etc/passwd",
        "ftp://example.com/table.csv",
        "",
        "https://",
        "https://localhost:1/table.csv",
        "https://no-such-host.invalid/table.csv",
        "s3://",
    ],
)
def test_other_addresses_are_refused(server: Server, url: str) -> None:
    body = assert_envelope(create(server, url), 422, "invalid_input")
    assert body["field"] == "s3_file_data_set_training"
    server.assert_nothing_left()


def test_a_missing_or_bad_file_is_refused(server: Server, site: Site) -> None:
    site.pages["/one-column.csv"] = (200, {}, b"a\n1\n2\n")
    site.pages["/cut.csv"] = (200, {"Content-Length": "9999"}, make_table()[:500])
    for path in ("/missing.csv", "/one-column.csv"):
        assert_envelope(create(server, site.url + path), 422, "invalid_input")
    server.assert_nothing_left()


def test_an_untrusted_certificate_is_refused(
    server: Server, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    body = assert_envelope(create(server, f"{site.url}/data/table.csv"), 422, "invalid_input")
    assert "certificate" in body["error"].lower()


def test_a_file_that_is_too_large_is_refused(
    make_server: Callable[..., Server], site: Site
) -> None:
    server = make_server(max_upload_bytes=100_000)
    site.pages["/large.csv"] = (200, {}, b"a,b\n" * 1_000_000)
    assert_envelope(create(server, f"{site.url}/large.csv"), 413, "too_large")
    server.assert_nothing_left()


def test_a_client_that_asks_again_while_waiting_gets_the_same_model(
    server: Server, site: Site
) -> None:
    site.delay_s = 0.5
    url = f"{site.url}/data/table.csv"
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: create(server, url, name="a"), range(2)))
    assert answers[0].json() == answers[1].json()
    assert len(site.asked) == 1
    assert create(server, url, name="a").json() != answers[0].json()  # delivered: a new wish


def test_a_client_that_gave_up_and_asks_again_gets_its_model(server: Server, site: Site) -> None:
    site.delay_s = 0.5
    url = f"{site.url}/data/table.csv"
    with pytest.raises(httpx.ReadTimeout):
        server.http.post(CREATE, json={"s3_file_data_set_training": url}, timeout=0.2)
    while not (sessions := server.http.get("/compute/sessions-for-org").json()["sessions"]):
        time.sleep(0.02)
    assert create(server, url).json()["session_id"] == sessions[0]["session_id"]
    assert len(site.asked) == 1


def test_a_file_in_s3_makes_a_model(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    bucket = Site(pages={"/bucket/folder/table.csv": (200, {"ETag": '"x"'}, make_table())})
    storage = serve_site(bucket, None)
    where = f"endpoint_override=127.0.0.1:{storage.server_address[1]}&scheme=http&region=x"
    try:
        answer = create(server, f"s3://bucket/folder/table.csv?{where}")
        assert answer.status_code == 200, answer.text
        missing = create(server, f"s3://bucket/missing.csv?{where}")
        assert "missing.csv" in assert_envelope(missing, 422, "invalid_input")["error"]
    finally:
        storage.shutdown()
        storage.server_close()
