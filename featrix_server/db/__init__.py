"""The metadata database: one module a family of tables, and the open database itself."""

from featrix_server.db.base import Base, now
from featrix_server.db.database import (
    LOCK_WAIT_S,
    Database,
    DatabaseVersionError,
    is_disk_full,
    open_database,
)
from featrix_server.db.serving import EndpointRow, FeedbackRow, PredictionBlockRow, UsageRow
from featrix_server.db.training import (
    CHECKPOINT_JOB,
    ERRANDS,
    OPEN_STATUSES,
    PUBLISH_JOB,
    SPACE_JOBS,
    TRAIN_JOB,
    EventRow,
    JobRow,
    MetricRow,
    PredictorRow,
    Request,
    SessionRow,
    Status,
    add_event,
)
from featrix_server.db.vectors import VectorBatchRow, VectorDatabaseRow, VectorRecordRow
from featrix_server.db.webhooks import (
    DeliveryRow,
    DeliveryStatus,
    WebhookRow,
    add_delivery,
    copy_webhooks,
    find_webhook,
)

__all__ = [
    "CHECKPOINT_JOB",
    "ERRANDS",
    "LOCK_WAIT_S",
    "OPEN_STATUSES",
    "PUBLISH_JOB",
    "SPACE_JOBS",
    "TRAIN_JOB",
    "Base",
    "Database",
    "DatabaseVersionError",
    "DeliveryRow",
    "DeliveryStatus",
    "EndpointRow",
    "EventRow",
    "FeedbackRow",
    "JobRow",
    "MetricRow",
    "PredictionBlockRow",
    "PredictorRow",
    "Request",
    "SessionRow",
    "Status",
    "UsageRow",
    "VectorBatchRow",
    "VectorDatabaseRow",
    "VectorRecordRow",
    "WebhookRow",
    "add_delivery",
    "add_event",
    "copy_webhooks",
    "find_webhook",
    "is_disk_full",
    "now",
    "open_database",
]
