"""Vector databases and reference records in a notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from featrix_client import FeatrixSphere, FoundationalModel
from featrix_notebook import display
from tests.client.scripted import Answer, Request, ScriptedServer

NAME = "<b>mine</b>"


@pytest.fixture
def fm() -> Iterator[FoundationalModel]:
    def script(request: Request) -> Answer:
        if request.path.endswith("/encode_records"):
            place = {"embedding": [0, 0, 1], "embedding_long": [1.0]}
            return Answer({"results": [place] * len(json.loads(request.body)["records"])})
        index = {"kind": "hnsw", "recall_at_10": 0.997}
        about = {"name": NAME, "record_count": 123456, "index": index}
        return Answer(about | {"session": {"status": "done"}, "jobs": {}})

    server = ScriptedServer(script)
    yield FeatrixSphere(server.url).foundational_model("m-1")
    server.close()


def html_of(value: object) -> str:
    shell = InteractiveShell.instance()
    restore = display.register(shell)
    try:
        data, _ = shell.display_formatter.format(value)
    finally:
        restore()
    html: str = data["text/html"]
    return html


def test_a_vector_database_says_how_large_it_is_and_how_it_is_searched(
    fm: FoundationalModel,
) -> None:
    html = html_of(fm.create_vector_database(NAME.replace("/", "")))
    for text in ("m-1", "123,456", "by an index", "0.997", "&lt;b&gt;mine&lt;/b&gt;"):
        assert text in html
    assert NAME not in html


def test_a_reference_record_shows_what_it_says(fm: FoundationalModel) -> None:
    record = {"<i>": "<script>", "age": 30.0, "plan": None}
    html = html_of(fm.create_reference_record(record, name=NAME))
    for text in ("&lt;script&gt;", "&lt;i&gt;", "age: 30", "plan: None"):
        assert text in html
    assert "<script>" not in html
    assert NAME not in html
