"""A vector database as tests use it."""

from __future__ import annotations

from typing import Any

import httpx

from .conftest import Trained

PRO = {"plan": "pro", "age": 30, "price": 23.5}


class Database:
    """A vector database as a client sees it."""

    def __init__(self, model: Trained, name: str, **options: Any) -> None:
        self.http, self.path = model.server.http, f"{model.path}/vector_databases"
        self.created = self.http.post(self.path, json={"name": name, **options}).json()
        self.path += f"/{name}"

    def post(self, route: str, **body: Any) -> httpx.Response:
        return self.http.post(f"{self.path}/{route}", json=body)

    def add(self, *records: Any) -> dict[str, Any]:
        answer = self.post("records", records=records)
        assert answer.status_code == 200, answer.text
        added: dict[str, Any] = answer.json()
        return added

    def search(self, record: dict[str, Any], k: int = 10, **more: Any) -> list[dict[str, Any]]:
        answer = self.post("search", query_record=record, k=k, **more)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    def size(self) -> int:
        count: int = self.http.get(f"{self.path}/size").json()["size"]
        return count
