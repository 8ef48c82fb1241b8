"""The gate in front of every route: key, host name, sizes, one envelope for all errors."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from .conftest import KEY, UPLOAD, Server, Trained


def assert_envelope(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert set(body) == {"error", "code", "hint", "field", "detail", "compute_cluster"}
    assert body["code"] == code
    assert body["error"]
    assert body["detail"] == body["error"]
    assert body["compute_cluster"] == "local"
    return body


def all_routes(server: Server) -> Iterator[tuple[str, str]]:
    for path, methods in server.http.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), path.replace("{session_id}", "none")


def test_health_needs_no_key(shared: Server) -> None:
    answer = httpx.get(f"{shared.http.base_url}/health", trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["version"]
    assert answer.json()["compute_cluster"] == "local"


@pytest.mark.parametrize("key", [None, "", "fx_wrong", KEY[:-1], KEY + "x", "schlüssel"])
def test_every_other_route_needs_the_key(shared: Server, key: str | None) -> None:
    routes = [*all_routes(shared), ("GET", "/openapi.json"), ("GET", "/unknown")]
    assert len(routes) > 15
    headers = {} if key is None else {"X-Api-Key": key.encode()}
    with httpx.Client(base_url=shared.http.base_url, headers=headers, trust_env=False) as http:
        for method, path in routes:
            if path != "/health":
                body = assert_envelope(http.request(method, path), 401, "unauthorized")
                assert "X-Api-Key" in body["hint"]


def test_the_key_may_come_as_a_bearer_token(server: Server) -> None:
    del server.http.headers["X-Api-Key"]
    path = "/compute/sessions-for-org"
    good = server.http.get(path, headers={"Authorization": f"Bearer {KEY}"})
    assert good.status_code == 200
    bad = server.http.get(path, headers={"Authorization": "Bearer fx_wrong"})
    assert_envelope(bad, 401, "unauthorized")
    assert bad.headers["WWW-Authenticate"] == "Bearer"


def test_a_server_without_a_key_refuses_everybody(make_server: Callable[..., Server]) -> None:
    server = make_server(api_key="")
    for headers in ({}, {"X-Api-Key": ""}, {"Authorization": "Bearer x"}):
        answer = httpx.get(
            f"{server.http.base_url}/compute/sessions-for-org", headers=headers, trust_env=False
        )
        assert_envelope(answer, 401, "unauthorized")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_other_host_names_are_refused(shared: Server, host: str) -> None:
    for path in ("/health", "/compute/sessions-for-org"):
        assert_envelope(shared.http.get(path, headers={"Host": host}), 403, "host_not_allowed")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8", "127.0.0.1:8", "127.9.9.9", "[::1]:8"]
)
def test_loopback_names_are_accepted(shared: Server, host: str) -> None:
    assert shared.http.get("/health", headers={"Host": host}).status_code == 200


def test_host_names_can_be_added(make_server: Callable[..., Server]) -> None:
    server = make_server(allowed_hosts=("models.example",))
    for host, status in (("models.example:443", 200), ("other.example", 403)):
        assert server.http.get("/health", headers={"Host": host}).status_code == status


def test_no_web_page_may_read_answers(shared: Server) -> None:
    headers = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    asked = shared.http.options("/compute/sessions-for-org", headers=headers)
    read = shared.http.get("/compute/sessions-for-org", headers=headers)
    for answer in (asked, read):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_too_large_an_upload_is_refused(make_server: Callable[..., Server]) -> None:
    server = make_server(max_upload_bytes=10_000)
    body = assert_envelope(server.upload(b"x" * 5_000_000), 413, "too_large")
    assert "MAX_UPLOAD_BYTES" in body["hint"]
    server.assert_nothing_left()
    server.assert_serving()


def test_too_large_an_upload_of_unknown_length_is_refused(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(max_upload_bytes=10_000)

    def chunks() -> Iterator[bytes]:
        yield b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for _ in range(50):
            yield b"a,b\n" * 25_000
        yield b"\r\n--B--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = server.http.post(UPLOAD, content=chunks(), headers=headers)
    assert_envelope(answer, 413, "too_large")
    server.assert_nothing_left()


def test_ten_gigabytes_are_refused_when_they_are_announced(shared: Server) -> None:
    head = (
        f"POST {UPLOAD} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: {KEY}\r\n"
        f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {10 * 10**9}\r\n\r\n"
    )
    url = shared.http.base_url
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 413"
    shared.assert_nothing_left()
    shared.assert_serving()


def test_too_large_a_body_is_refused(make_server: Callable[..., Server]) -> None:
    server = make_server(max_body_bytes=1_000)
    path = server.create()
    records = [{"age": 1}] * 1_000
    answer = server.http.post(f"{path}/encode_records", json={"records": records})
    assert_envelope(answer, 413, "too_large")


def test_a_large_upload_with_a_wrong_key_learns_why(shared: Server) -> None:
    content = b"x" * 20_000_000
    answer = shared.http.post(
        UPLOAD, files={"file": ("a.csv", content)}, headers={"X-Api-Key": "fx_wrong"}
    )
    assert_envelope(answer, 401, "unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "not_found"),
        ("GET", "/compute/session/", 404, "not_found"),
        ("DELETE", "/health", 405, "method_not_allowed"),
        ("GET", "/compute/session/%2e%2e%2f%2e%2e%2fetc", 404, "not_found"),
        ("GET", "/compute/session/..%5C..", 404, "not_found"),
        ("GET", "/compute/session/none\x00", 404, "not_found"),
    ],
)
def test_unknown_paths(shared: Server, method: str, path: str, status: int, code: str) -> None:
    assert_envelope(shared.http.request(method, path.replace("\x00", "%00")), status, code)


def test_an_unknown_model_is_a_404_everywhere(shared: Server) -> None:
    bodies = {
        "control": {"action": "pause"},
        "deletion_protection": {"protected": True},
        "encode_records": {"records": []},
        "train_predictor": {"target_column": "a", "target_column_type": "set"},
        "predict": {"predictor_id": "p", "query_record": {}},
        "explain": {"predictor_id": "p", "query_record": {}},
        "predict_table": {"predictor_id": "p", "records": []},
        "evaluate": {"predictor_id": "p", "records": [], "labels": []},
    }
    routes = [route for route in all_routes(shared) if "/none" in route[1]]
    assert len(routes) >= 14
    for method, path in routes:
        body = bodies.get(path.rsplit("/", 1)[-1], {})
        answer = shared.http.request(method, path, json=body if method == "POST" else None)
        assert "'none'" in assert_envelope(answer, 404, "not_found")["error"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("{", None),
        ("[]", None),
        ("{}", "action"),
        ('{"action": "explode"}', "action"),
        ('{"action": "pause", "job_id": 7}', "job_id"),
    ],
)
def test_invalid_bodies_are_named(trained: Trained, content: str, field: str | None) -> None:
    answer = trained.server.http.post(
        f"{trained.path}/control", content=content, headers={"Content-Type": "application/json"}
    )
    assert assert_envelope(answer, 422, "invalid_input")["field"] == field


def test_an_interrupted_request_does_no_harm(server: Server) -> None:
    host, port = server.http.base_url.host, server.http.base_url.port
    head = (
        f"POST {UPLOAD} HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {KEY}\r\nContent-Length: 999999\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\n\r\n--B\r\n"
        'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n1,2\n'
    )
    with socket.create_connection((host, port)) as connection:
        connection.sendall(head.encode())
    server.create()
    while list(server.settings.sessions_dir.glob(".*")):  # until it notices that we have gone
        time.sleep(0.01)
    assert len(server.http.get("/compute/sessions-for-org").json()["sessions"]) == 1
    assert len(list(server.settings.sessions_dir.iterdir())) == 1


def test_a_crash_is_told_without_its_inner_parts(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    path = server.create()
    session_id = path.rsplit("/", 1)[-1]
    (server.settings.sessions_dir / session_id / "schema.json").write_text("damaged")
    body = assert_envelope(server.http.get(f"{path}/columns"), 500, "internal")
    assert "featrix-server logs" in body["hint"]
    assert "damaged" not in json.dumps(body)
    assert "JSONDecodeError" in caplog.text
    server.assert_serving()


def test_the_openapi_page_tells_every_route_with_its_errors(shared: Server) -> None:
    page = shared.http.get("/openapi.json").json()
    for path, methods in page["paths"].items():
        for method, route in methods.items():
            told = set(route["responses"])
            assert route["summary"], path
            assert route["description"], path
            assert path == "/health" or "401" in told, path
            assert "{session_id}" not in path or "404" in told, path
            assert route.get("requestBody") is None or "422" in told, path
            for status, response in route["responses"].items():
                if status[0] != "2" and status != "503":  # in training: the protocol's own body
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (path, method)
    assert page["components"]["securitySchemes"]
