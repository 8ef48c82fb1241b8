"""HTML and script in every text that a server can tell: shown as text by every display."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from featrix_client import (
    APIEndpoint,
    BatchResults,
    FeatrixSphere,
    FoundationalModel,
    ModelCard,
    PredictionFeedback,
    PredictionResult,
    Predictor,
    ReferenceRecord,
    VectorDatabase,
)
from featrix_client.prediction_grid import PredictionGrid
from featrix_notebook import display
from tests.client.predicting import ModelServer
from tests.client.scripted import Answer, Request, ScriptedServer

from .test_display import Checked

EVIL = "</div><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;"
PLAIN_TAGS = {
    *("div", "span", "b", "table", "caption", "thead", "tbody", "tr", "td", "th", "style"),
    *("figure", "figcaption", "svg", "polyline", "title", "img", "details", "summary"),
}


class Hostile(ModelServer):
    """Tells its own text wherever the protocol has room for one."""

    def status(self) -> dict[str, Any]:
        told = super().status()
        told["session"] |= {"name": EVIL, "columns": [EVIL] * 3, "created_at": EVIL, "error": EVIL}
        return told

    def one(self, record: dict[str, Any]) -> dict[str, Any]:
        return {
            "prediction_uuid": EVIL,
            "predicted_class": EVIL,
            "prediction": EVIL,
            "probabilities": {EVIL: 1.0},
            "feature_importance": {EVIL: 1.0},
            "ignored_query_columns": [EVIL],
            "guardrails": {EVIL: EVIL},
        } | ({"error": EVIL} if record.get("age") == "broken" else {})

    def encode_records(self, body: dict[str, Any]) -> Answer:
        place = {"embedding": [0, 0, 1], "embedding_long": [1.0]}
        return Answer({"results": [place] * len(body["records"])})

    def get(self, route: str, query: str) -> Answer:
        if route.endswith("health"):
            return Answer({"status": EVIL, "version": EVIL, "compute_cluster": EVIL})
        if route.endswith("stats"):
            return Answer({"usage_count": EVIL, "error_count": EVIL, "last_used_at": EVIL})
        if "vector_databases" in route:
            index = {"kind": EVIL}
            return Answer({"name": EVIL, "record_count": 1, "created_at": EVIL, "index": index})
        if route == "training_metrics":
            lists = {name: [EVIL, EVIL] for name in ("train_loss", "val_loss", "phase", "epochs")}
            return Answer({"data": lists, "training_metrics": {"training_info": []}})
        if route == "model_card":
            return Answer(hostile_card())
        return super().get(route, query)


def hostile_card() -> dict[str, Any]:
    """Its own text as every key, value, list and record that a card may hold."""
    record = {EVIL: EVIL, "name": EVIL, "message": EVIL, "reason": EVIL, "severity": EVIL}
    record |= {"detected_type": EVIL, "null_rate": EVIL, "predictability_pct": EVIL}
    parts = ("model_identification", "model_quality", "data_summary", "decisions", EVIL)
    words = ("name", "model_type", "assessment", "assessment_reason", "total_rows", EVIL)
    told: dict[str, Any] = {part: dict.fromkeys(words, EVIL) for part in parts}
    told |= {"columns": [record, EVIL], "excluded_columns": [record, EVIL], "warnings": [record]}
    return told | {"list": [EVIL], "deep": {EVIL: {EVIL: {EVIL: {EVIL: {EVIL: [EVIL]}}}}}}


@pytest.fixture
def objects() -> Iterator[dict[type, Any]]:
    model = Hostile()

    def script(request: Request) -> Answer:
        return model(request)

    server = ScriptedServer(script)
    model.featrix = featrix = FeatrixSphere(server.url)
    model.add("p1", "failed", name=EVIL, target_column=EVIL, error=EVIL)
    fm, predictor = featrix.foundational_model("m-1"), featrix.predictor("p1", "m-1")
    transport = featrix._transport
    raw = {"id": "e-1", "name": EVIL, "description": EVIL, "target_column": EVIL}
    database = {"name": EVIL, "created_at": EVIL}
    grid = predictor.predict_grid(2, (2, 2))
    grid.fill({}, {"age": [1, 2], EVIL: [{"plan": EVIL}, {"plan": None}]})
    yield {
        FeatrixSphere: featrix,
        FoundationalModel: fm,
        Predictor: predictor,
        PredictionResult: predictor.predict({"age": 1}),
        BatchResults: predictor.batch_predict([{"age": 1}, {"age": "broken"}]),
        APIEndpoint: APIEndpoint(transport, raw, "m-1"),
        VectorDatabase: VectorDatabase(transport, "m-1", database),
        ReferenceRecord: fm.create_reference_record({EVIL: EVIL}, name=EVIL),
        PredictionFeedback: PredictionFeedback("u-1", EVIL, transport),
        PredictionGrid: grid,
        ModelCard: fm.get_model_card(),
    }
    server.close()


def test_every_display_shows_markup_as_text(objects: dict[type, Any]) -> None:
    shell = InteractiveShell.instance()
    restore = display.register(shell)
    shown = set()
    try:
        for cls, value in objects.items():
            data, _ = shell.display_formatter.format(value)
            assert "text/plain" in data
            shown.add(cls)
            html = data["text/html"]
            assert_harmless(cls, html)
            assert "&lt;script&gt;" in html, cls
    finally:
        restore()
    assert shown == set(objects) == set(display.displays())


def assert_harmless(cls: type, html: str) -> None:
    page = Checked(re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL))
    for tag, attributes in page.tags:
        assert tag in PLAIN_TAGS, (cls, tag)
        assert not [name for name in attributes if name.startswith("on")], (cls, tag)
        assert tag != "img" or str(attributes["src"]).startswith("data:image/png;base64,"), cls
