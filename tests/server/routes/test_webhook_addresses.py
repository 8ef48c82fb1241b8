"""Addresses that webhooks and data may have: no private ones where others use the server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from featrix_server.outgoing import is_refused
from tests.server.receiver import Receiver

from .conftest import Server
from .test_gate import assert_envelope
from .test_webhooks import QUICK, finish_one, log


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
        *("100.64.0.1", "169.254.169.254", "224.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0"),
        *("fc00::1", "fd00:ec2::254", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
        *("ff02::1", "240.0.0.1", "255.255.255.255"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert is_refused(address, allow_private=False)


def test_public_addresses_and_what_the_embedded_server_may_call() -> None:
    for address in ("93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"):
        assert not is_refused(address, allow_private=False)
    for address in ("127.0.0.1", "::1", "192.168.1.1"):
        assert not is_refused(address, allow_private=True)
    for address in ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254"):
        assert is_refused(address, allow_private=True)


def test_private_addresses_are_refused_when_others_use_the_server(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(allowed_hosts=("featrix.example.org",))
    assert not server.settings.private_urls_allowed
    for host in ("127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "10.0.0.1:8080"):
        answer = server.upload(webhooks=f'{{"usage": "http://{host}/x"}}')
        body = assert_envelope(answer, 422, "invalid_input")
        assert "not a public address" in body["error"]


def test_a_name_that_leads_to_a_private_address_is_not_called(
    make_server: Callable[..., Server],
    receiver: Receiver,
    until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = make_server(webhook_times=QUICK, allow_private_urls=False)
    monkeypatch.setenv("HTTP_PROXY", receiver.url)  # nor through somebody who looks it up again
    asked = resolve(monkeypatch, {"rebind.example.com": ["127.0.0.1"]})
    port = receiver.url.rsplit(":", 1)[-1]
    hooks = f'{{"training_finished": "http://rebind.example.com:{port}/"}}'
    path = server.create(webhooks=hooks)
    finish_one(server, path)
    until(lambda: log(server, path)[0]["finished_at"])
    (entry,) = log(server, path)
    assert entry["status"] == "failed"
    assert "rebind.example.com is at 127.0.0.1" in entry["tries"][0]["error"]
    assert len(entry["tries"]) == 1
    assert receiver.told == []
    assert asked == ["rebind.example.com"]


def test_a_name_is_asked_for_once_so_that_it_cannot_change(
    make_server: Callable[..., Server],
    receiver: Receiver,
    until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = make_server(webhook_times=QUICK)
    asked = resolve(monkeypatch, {"hooks.example.com": ["127.0.0.1"]})
    port = receiver.url.rsplit(":", 1)[-1]
    hooks = f'{{"training_finished": "http://hooks.example.com:{port}/"}}'
    path = server.create(webhooks=hooks)
    finish_one(server, path)
    until(lambda: receiver.told)
    assert asked == ["hooks.example.com"]
    assert receiver.told[0].headers["Host"] == f"hooks.example.com:{port}"


def test_data_is_not_fetched_from_private_addresses_either(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(allow_private_urls=False)
    for url in (
        "https://127.0.0.1:1/table.csv",
        "https://[::1]/table.csv",
        "https://169.254.169.254/latest/table.csv",
        "s3://bucket/table.csv?endpoint_override=169.254.169.254",
    ):
        body = {"s3_file_data_set_training": url}
        answer = server.http.post("/compute/create-embedding-space", json=body)
        assert_envelope(answer, 422, "invalid_input")
    server.assert_nothing_left()


def resolve(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> list[str]:
    """Let these names have these addresses; return the list of those that are asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        if host not in names or named.get("flags"):
            return real(host, port, *arguments, **named)
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked
