"""A small table with structure, and a model trained on it once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

INFO = {
    "session_id": "s-1",
    "job_id": "j-1",
    "name": "people",
    "created_at": "2026-01-02T03:04:05Z",
    "compute_cluster": "local",
}


def make_people(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """Rows whose columns tell of one another; some values missing, one column constant."""
    rng = np.random.default_rng(seed)
    group = rng.integers(3, size=n)
    frame = pd.DataFrame(
        {
            "age": (25 + 15 * group + 3 * rng.normal(size=n)).round(1),
            "income": (1_000 * (group + 1) + 100 * rng.normal(size=n)).round(),
            "plan": np.array(["basic", "silver", "gold"])[group],
            "town": rng.choice(["Ulm", "Bonn", "Kiel", "Jena"], size=n),
            "same": 1,
        }
    )
    frame.loc[rng.random(n) < 0.1, "age"] = np.nan
    frame.loc[rng.random(n) < 0.1, "plan"] = None
    return frame


@dataclass
class Training:
    """A folder to train in, and what was reported."""

    folder: Path
    table: Any
    schema: Any
    reports: list[Any] = field(default_factory=list)

    def run(self, decide: Callable[[Any], str] = lambda report: "continue", **options: Any) -> Any:
        """Pretrain, keeping the reports."""
        from featrix_server.engine import TrainOptions, pretrain

        def on_epoch(report: Any) -> Any:
            self.reports.append(report)
            return decide(report)

        return pretrain(
            self.table, self.schema, self.folder, TrainOptions(**options), on_epoch, info=INFO
        )


@pytest.fixture(scope="session")
def people() -> Callable[..., pd.DataFrame]:
    """The maker of the small table."""
    return make_people


@pytest.fixture(scope="session")
def make_training(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Training]:
    """Prepare a training of a table in a fresh folder."""
    from featrix_server.engine import detect_schema, read_table

    def make(frame: pd.DataFrame | None = None) -> Training:
        folder = tmp_path_factory.mktemp("model")
        source = folder / "source.csv"
        (make_people() if frame is None else frame).to_csv(source, index=False)
        table = read_table(source, folder / "data.parquet")
        return Training(folder, table, detect_schema(table))

    return make


@pytest.fixture(scope="session")
def trained(make_training: Callable[..., Training]) -> tuple[Training, Any]:
    """A training of 12 epochs, and its result."""
    training = make_training()
    return training, training.run(epochs=12)
