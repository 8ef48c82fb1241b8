"""A production endpoint: a door to one predictor, with a key that opens nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote

from featrix_client.errors import FeatrixInputError, missing_error
from featrix_client.prediction import PredictionResult, customer_headers
from featrix_client.records import clean_record
from featrix_client.transport import Transport


class APIEndpoint:
    """A view of one endpoint. Made by `Predictor.create_api_endpoint`, not by hand.

    Attributes
    ----------
    id, name : str
        Id and name of the endpoint.
    description : str or None
        What it is for.
    url : str
        Where to POST ``{"query_record": {...}}``, with the key in the header ``X-API-Key``.
    api_key : str or None
        The key. Not part of the ``repr``, so that a notebook does not show it by accident. None
        after `revoke_api_key`, and for a key that only its maker knows.
    session_id, predictor_id : str
        Whose predictions it gives.
    target_column : str or None
        What it predicts.
    created_at : str or None
        When it was created, as ISO 8601 text.
    raw : dict
        What the server last told about it, without the key.
    """

    def __init__(self, transport: Transport, raw: Mapping[str, Any], session_id: str) -> None:
        self._transport = transport
        self.id = str(raw["id"])
        self.session_id = session_id
        self.api_key: str | None = None
        self._read(raw)

    def _read(self, raw: Mapping[str, Any]) -> Self:
        self.api_key = raw.get("api_key") or (self.api_key if raw.get("has_api_key") else None)
        self.raw = {name: value for name, value in raw.items() if name != "api_key"}
        self.name = str(raw.get("name") or self.id)
        self.description: str | None = raw.get("description")
        self.predictor_id = str(raw.get("serving_predictor_id") or "")
        self.target_column: str | None = raw.get("target_column")
        self.created_at: str | None = raw.get("created_at")
        return self

    def __repr__(self) -> str:
        facts = [f"id={self.id!r}", f"name={self.name!r}", f"url={self.url!r}"]
        return f"APIEndpoint({', '.join(facts)})"

    @property
    def url(self) -> str:
        """Address of the endpoint; that of an embedded server changes when it starts again."""
        return self._transport.url + self._predict_path

    @property
    def _predict_path(self) -> str:
        return f"/endpoint/{quote(self.id, safe='')}/predict"

    @property
    def _path(self) -> str:
        return f"/endpoints/{quote(self.id, safe='')}"

    def refresh(self) -> dict[str, Any]:
        """Ask the server how the endpoint stands, update the attributes, return the raw answer.

        Raises
        ------
        requests.HTTPError
            With ``.status`` 404 if it was deleted.
        """
        self._read(self._transport.get(self._path))
        return self.raw

    def predict(
        self,
        record: Mapping[str, Any],
        api_key: str | None = None,
        *,
        customer_metadata: Mapping[str, Any] | None = None,
    ) -> PredictionResult:
        """Predict the target of one record.

        Parameters
        ----------
        record : dict
            Column names and values.
        api_key : str, optional
            Key to use instead of `api_key`.
        customer_metadata : dict, optional
            Kept with the prediction for yourself, at most 16 KB as JSON; no model sees it.

        Raises
        ------
        ValueError
            If `record` is no record, or the server can make nothing of it.
        requests.HTTPError
            With ``.status`` 401 if the key is wrong, 403 if it was revoked, 404 if the endpoint
            was deleted, 429 if it was asked too often, again and again.
        """
        key = self.api_key if api_key is None else api_key
        headers = customer_headers(customer_metadata) | ({"X-Api-Key": key} if key else {})
        answer = self._transport.json(
            "POST", self._predict_path, json={"query_record": clean_record(record)}, headers=headers
        )
        return PredictionResult.from_wire(answer, self._transport, self.session_id)

    def regenerate_api_key(self) -> str:
        """Make a new key; the old one is worth nothing from now on.

        Returns
        -------
        str
            The new key, also in `api_key`.
        """
        answer: dict[str, Any] = self._transport.post(f"{self._path}/regenerate_key", {})
        self._read(self.raw | {"is_public": False, "has_api_key": True} | answer)
        assert self.api_key is not None
        return self.api_key

    def revoke_api_key(self, make_public: bool = False) -> dict[str, Any]:
        """Take the key away: the endpoint answers nobody until a new one is made.

        Parameters
        ----------
        make_public : bool
            Instead let it answer everybody who can reach the server, without a key.
        """
        wish = {"make_public": True} if make_public else {}
        answer: dict[str, Any] = self._transport.post(
            f"{self._path}/revoke_key", wish, repeatable=True
        )
        self._read(self.raw | {"has_api_key": False} | answer)
        return answer

    def get_usage_stats(self) -> dict[str, Any]:
        """Return how much the endpoint was used. Calls that were refused do not count.

        Returns
        -------
        dict
            ``usage_count``; ``last_used_at``, ISO 8601 text or None; ``error_count``, calls whose
            record could not be answered; ``avg_latency_ms``; ``created_at``; ``by_day``, day (UTC)
            to the number of calls.
        """
        answer: dict[str, Any] = self._transport.get(f"{self._path}/stats")
        return answer

    def delete(self) -> dict[str, Any]:
        """Remove the endpoint; the predictor stays."""
        answer: dict[str, Any] = self._transport.json("DELETE", self._path)
        self.api_key = None
        return answer


def create_endpoint(
    transport: Transport,
    session_id: str,
    predictor_id: str,
    name: str,
    description: str | None,
    requests_per_minute: int | None,
) -> APIEndpoint:
    """Make an endpoint of a predictor; see `Predictor.create_api_endpoint`."""
    if not isinstance(name, str) or not name.strip():
        raise FeatrixInputError(f"name must be a text, not {name!r}.", field="name")
    body = {
        "name": name,
        "session_id": session_id,
        "predictor_id": predictor_id,
        "description": description,
        "requests_per_minute": requests_per_minute,
    }
    given = {key: value for key, value in body.items() if value is not None}
    return APIEndpoint(transport, transport.post("/endpoints", given), session_id)


def find_endpoint(transport: Transport, endpoint_id: str, session_id: str) -> APIEndpoint:
    """Return an endpoint of a model.

    Raises
    ------
    FeatrixHTTPError
        With ``.status`` 404 if there is none of this id, or it is of another model.
    """
    if not isinstance(endpoint_id, str) or not endpoint_id.strip("./ "):
        raise FeatrixInputError(
            f"{endpoint_id!r} is not the id of an endpoint.",
            hint="APIEndpoint.id holds it.",
            field="endpoint_id",
        )
    raw: dict[str, Any] = transport.get(f"/endpoints/{quote(endpoint_id, safe='')}")
    if raw.get("session_id", session_id) != session_id:
        raise missing_error(
            f"The model {session_id!r} has no endpoint {endpoint_id!r}.",
            hint=f"It is one of the model {raw['session_id']!r}.",
        )
    return APIEndpoint(transport, raw, session_id)
