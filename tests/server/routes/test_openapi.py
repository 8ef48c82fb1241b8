"""The description of the server at /openapi.json, held against what the server really answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import KEY, Trained, errands, running_copy

_HEADERS = {"X-Api-Key": KEY}
_PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_EXAMPLES = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,  # a build is green or red by what was changed, not by luck
    database=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Described:
    """The description of a running server, and the ids it knows."""

    schema: Any
    known: dict[str, str]


@pytest.fixture(scope="module")
def described(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    """A server with a trained model, for tests that may do anything to it."""
    folder = tmp_path_factory.mktemp("described") / "data"
    with running_copy(trained, folder) as served, errands(served.server):
        url = f"{served.server.http.base_url}/openapi.json"
        schema = schemathesis.openapi.from_url(url, headers=_HEADERS)
        made = {"name": "known", "auto_populate": True}
        served.server.http.post(f"{served.path}/vector_databases", json=made)
        yield Described(schema, {"session_id": served.session_id, "name": "known"})


def test_every_answer_is_one_that_the_description_promises(described: Described) -> None:
    for found in described.schema.get_all_operations():

        @given(case=found.ok().as_strategy())
        @_EXAMPLES
        def ask(case: Any) -> None:
            for name in described.known.keys() & (case.path_parameters or {}).keys():
                case.path_parameters[name] = described.known[name]
            case.call_and_validate(headers=_HEADERS, checks=_PROMISES)

        ask()


def test_what_one_call_makes_serves_the_next(described: Described) -> None:
    described.schema.as_state_machine().run(settings=_EXAMPLES)
