"""A minimal REST client for tabular embedding models.

>>> from featrix_client import FeatrixSphere
>>> featrix = FeatrixSphere()
>>> fm = featrix.create_foundational_model(name="churn", data_file="churn.csv")
>>> fm.wait_for_training()
>>> fm.encode({"plan": "basic"})
>>> predictor = fm.create_binary_classifier(target_column="churned")
>>> predictor.wait_for_training()
>>> predictor.predict({"plan": "basic"})
"""

from __future__ import annotations

from featrix_client.api_endpoint import APIEndpoint
from featrix_client.client import FeatrixSphere
from featrix_client.errors import (
    FeatrixAuthenticationError,
    FeatrixConnectionError,
    FeatrixError,
    FeatrixHTTPError,
    FeatrixInputError,
    FeatrixLocalServerError,
    FeatrixTimeoutError,
    FeatrixTrainingError,
    FeatrixWarning,
)
from featrix_client.events import Event
from featrix_client.foundational_model import FoundationalModel
from featrix_client.model_card import ModelCard
from featrix_client.prediction import BatchResults, PredictionFeedback, PredictionResult
from featrix_client.prediction_grid import PredictionGrid
from featrix_client.predictor import Predictor
from featrix_client.reference_record import ReferenceRecord
from featrix_client.vector_database import VectorDatabase
from featrix_client.webhooks import WEBHOOK_EVENTS, verify_signature

__all__ = [
    "WEBHOOK_EVENTS",
    "APIEndpoint",
    "BatchResults",
    "Event",
    "FeatrixAuthenticationError",
    "FeatrixConnectionError",
    "FeatrixError",
    "FeatrixHTTPError",
    "FeatrixInputError",
    "FeatrixLocalServerError",
    "FeatrixSphere",
    "FeatrixTimeoutError",
    "FeatrixTrainingError",
    "FeatrixWarning",
    "FoundationalModel",
    "ModelCard",
    "PredictionFeedback",
    "PredictionGrid",
    "PredictionResult",
    "Predictor",
    "ReferenceRecord",
    "VectorDatabase",
    "verify_signature",
]
