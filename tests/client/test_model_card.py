"""Model cards and long lists of answers in a terminal."""

from __future__ import annotations

import json

from featrix_client import BatchResults, ModelCard, PredictionResult

CARD = {
    "model_identification": {"name": "animals\n\x1b[31m", "model_type": "Embedding Space"},
    "data_summary": {"total_rows": 300, "total_features": 4},
    "excluded_columns": [{"name": "id"}],
    "model_quality": {"assessment": "good", "assessment_reason": "columns are 25 % predictable"},
    "warnings": [{"message": f"warning {i}"} for i in range(5)],
}


def test_a_card_is_a_dict_and_reads_as_its_gist() -> None:
    card = ModelCard(CARD)
    assert card == CARD
    assert json.loads(json.dumps(card)) == CARD
    text = repr(card)
    assert text.splitlines()[0] == "ModelCard of 'animals [31m': Embedding Space"
    for told in (
        "good (columns are 25 %",
        "300 rows, 4 columns, 1 left out",
        "and 2 more warnings",
    ):
        assert told in text
    assert "\x1b" not in text


def test_a_card_of_another_shape_is_shown_all_the_same() -> None:
    assert "unnamed" in repr(ModelCard())
    odd = {"model_identification": "?", "warnings": [1, "text"], "data_summary": None}
    assert "model_identification" in repr(ModelCard(odd))


def results(n: int) -> BatchResults:
    return BatchResults(
        PredictionResult(
            prediction_uuid=str(i),
            predicted_class=["yes", "no", "no"][i % 3],
            prediction=["yes", "no", "no"][i % 3],
            probabilities={"yes": 0.25, "no": 0.75},
            guardrails={"age": "extreme"} if i == 0 else {},
            error="broken" if i == 8 else None,
        )
        for i in range(n)
    )


def test_many_answers_are_counted_and_begun() -> None:
    many = results(9)
    assert many.summary() == "9 predictions; no 5, yes 3; 1 with warnings; 1 not answered"
    text = repr(many)
    assert text.startswith("BatchResults: 9 predictions")
    assert "probability_yes" in text
    assert len(text.splitlines()) == 8
    assert repr(results(2)).startswith("BatchResults([PredictionResult('yes'")
    assert BatchResults().summary() == "0 predictions"


def test_numbers_are_told_by_their_range() -> None:
    numbers = BatchResults(PredictionResult(prediction=float(i)) for i in range(7))
    assert numbers.summary() == "7 predictions; 0 to 6"
    assert "prediction" in repr(numbers)
