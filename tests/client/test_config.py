"""Which server and which key: argument, environment, files, in that order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from featrix_client.config import HOSTED_URL, find_target
from featrix_client.errors import FeatrixInputError


def test_nothing_configured_means_the_embedded_server():
    target = find_target()
    assert (target.url, target.api_key) == (None, None)


def test_a_key_alone_means_the_hosted_service(monkeypatch):
    monkeypatch.setenv("FEATRIX_API_KEY", "fx_abc")
    assert find_target().url == HOSTED_URL
    assert find_target().api_key == "fx_abc"


def test_local_wins_over_a_configured_key(monkeypatch):
    monkeypatch.setenv("FEATRIX_API_KEY", "fx_abc")
    target = find_target("local")
    assert (target.url, target.api_key) == (None, None)


def test_the_order_of_addresses(monkeypatch):
    Path("~/.featrix").expanduser().write_text("base_url=http://file:1")
    assert find_target().url == "http://file:1"
    monkeypatch.setenv("FEATRIX_BASE_URL", "http://base:2/")
    assert find_target().url == "http://base:2"
    monkeypatch.setenv("FEATRIX_API_URL", "http://api:3")
    assert find_target().url == "http://api:3"
    assert find_target("https://argument").url == "https://argument"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".featrix", json.dumps({"api_key": "fx_1", "base_url": "http://team:8000/"})),
        (
            ".featrix/identity.env",
            'export FEATRIX_API_KEY="fx_1"\nFEATRIX_BASE_URL=http://team:8000',
        ),
        (".featrix/config", "# mine\nAPI_KEY = 'fx_1'\nbase_url=http://team:8000  # ours\n"),
        (".featrix_default_key", "api_key=fx_1\nbase_url=http://team:8000"),
    ],
)
def test_every_configuration_file(name, text):
    path = Path.home() / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    target = find_target()
    assert (target.url, target.api_key) == ("http://team:8000", "fx_1")


def test_the_first_file_wins_and_junk_is_passed_over():
    (Path.home() / ".featrix").mkdir()
    (Path.home() / ".featrix/identity.env").write_bytes(b"\xff\xfe\x00junk")
    (Path.home() / ".featrix/config").write_text("api_key=fx_config")
    (Path.home() / ".featrix_default_key").write_text("api_key=fx_default\nbase_url=http://x")
    target = find_target()
    assert (target.url, target.api_key) == (HOSTED_URL, "fx_config")


def test_the_key_file_comes_last(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("fx_from_file\n")
    monkeypatch.setenv("FEATRIX_KEY_FILE", str(tmp_path / "key"))
    assert find_target().api_key == "fx_from_file"
    monkeypatch.setenv("FEATRIX_API_KEY", "fx_env")
    assert find_target().api_key == "fx_env"


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:8000", "http://", "http://h:port", "http://[::1"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(FeatrixInputError, match="not the address of a server"):
        find_target(url)


def test_a_key_given_as_address_is_told():
    with pytest.raises(ValueError, match="looks like an API key") as caught:
        find_target("fx_secret")
    assert "fx_secret" not in str(caught.value)


def test_the_key_is_not_in_the_repr(monkeypatch):
    monkeypatch.setenv("FEATRIX_API_KEY", "fx_secret")
    assert "fx_secret" not in repr(find_target())


@pytest.mark.parametrize("key", ["fx_ключ", "fx_a\nX-Evil: 1"])
def test_a_key_that_cannot_be_one_is_told(monkeypatch, key):
    monkeypatch.setenv("FEATRIX_API_KEY", key)
    with pytest.raises(FeatrixInputError, match="no key has"):
        find_target()
