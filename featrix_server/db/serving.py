"""Rows of what predictors answered: the log of predictions, and how much they are used."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from featrix_server.db.base import Base, now


class PredictionBlockRow(Base):
    """Predictions that were answered together, at most `prediction_log.BLOCK_ROWS`.

    ``id`` is the running number of the last of its ``n`` predictions, so that the newest so many
    predictions are those above a number. Their uuids are ``head`` and the twelve hexadecimal
    digits of ``first``, ``first + 1``, ... ``body`` is compressed JSON, one list a prediction:
    see `prediction_log`. ``latency_ms`` is what the whole request took, ``customer_metadata`` what
    the caller sent along for themselves.
    """

    __tablename__ = "prediction_blocks"
    __table_args__ = (Index("ix_prediction_blocks_predictor_id_id", "predictor_id", "id"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    head: Mapped[str] = mapped_column(unique=True)
    first: Mapped[int] = mapped_column(BigInteger)
    predictor_id: Mapped[str] = mapped_column(ForeignKey("predictors.id", ondelete="CASCADE"))
    endpoint_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    n: Mapped[int]
    n_errors: Mapped[int]
    latency_ms: Mapped[float]
    customer_metadata: Mapped[dict[str, Any] | None]
    body: Mapped[bytes]


class UsageRow(Base):
    """How much a predictor was used on one day (UTC), through one endpoint or (``""``) without.

    ``calls`` are requests, ``errors`` predictions that failed. Counted in the transaction that
    logs the predictions, and kept when these are collected.
    """

    __tablename__ = "usage"

    predictor_id: Mapped[str] = mapped_column(
        ForeignKey("predictors.id", ondelete="CASCADE"), primary_key=True
    )
    endpoint_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    predictions: Mapped[int]
    errors: Mapped[int]
    latency_ms: Mapped[float]
    last_used_at: Mapped[datetime]


class FeedbackRow(Base):
    """What somebody says was true of a prediction. A later one on the same makes it not current.

    ``ground_truth`` is text, in the spelling of the predictor's class where there is one;
    ``is_usable`` is false for a class the predictor never saw, and for no number where it
    predicts numbers. ``answered`` is the prediction, as of ``LoggedPrediction``, so that feedback
    outlives the log.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        Index("ix_feedback_predictor_id_is_current_id", "predictor_id", "is_current", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    prediction_uuid: Mapped[str] = mapped_column(index=True)
    predictor_id: Mapped[str] = mapped_column(ForeignKey("predictors.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    is_current: Mapped[bool] = mapped_column(default=True)
    ground_truth: Mapped[str]
    is_usable: Mapped[bool]
    meta: Mapped[dict[str, Any] | None]
    answered: Mapped[dict[str, Any]]


class EndpointRow(Base):
    """A production door to one predictor, with a key of its own.

    ``key_hash`` is the SHA-256 of the key; None: no key opens it, until a new one is made.
    ``key_salt`` is what the key was derived from, together with the server's secret (see
    `endpoints`); None for a key that the caller chose. ``is_public``: no key is needed.
    """

    __tablename__ = "endpoints"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    session_id: Mapped[str] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    predictor_id: Mapped[str] = mapped_column(
        ForeignKey("predictors.id", ondelete="CASCADE"), index=True
    )
    key_hash: Mapped[str | None]
    key_salt: Mapped[str | None]
    key_created_at: Mapped[datetime | None]
    is_public: Mapped[bool] = mapped_column(default=False)
    requests_per_minute: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]
