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


def make_shop(n: int = 720, seed: int = 3) -> pd.DataFrame:
    """Customers with two classes, three classes and a number to predict."""
    rng = np.random.default_rng(seed)
    plan = rng.choice(["basic", "silver", "gold"], size=n)
    age = rng.normal(45, 12, n).round(1)
    visits = rng.poisson(6, n)
    logit = -2 + 0.1 * (45 - age) + 1.8 * (plan == "basic") - 0.3 * (visits - 6)
    spent = 20 * visits + 2 * age + 30 * (plan == "gold") + 10 * rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "age": age,
            "visits": visits,
            "plan": plan,
            "town": rng.choice(["Ulm", "Bonn", "Kiel", "Jena"], size=n),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(2_000, size=n), "D"),
            "churn": np.where(rng.random(n) < 1 / (1 + np.exp(-logit)), "yes", "no"),
            "spent": spent.round(2),
            "size": pd.cut(spent, [-1e9, 190, 240, 1e9], labels=[1, 2, 3]).astype(int),
        }
    )
    frame.loc[rng.random(n) < 0.05, "age"] = np.nan
    return frame


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A space of two epochs over customers; it has not learned from ``churn``."""
    from featrix_server.engine import detect_schema, read_table

    folder = tmp_path_factory.mktemp("shop")
    make_shop().to_csv(folder / "source.csv", index=False)
    table = read_table(folder / "source.csv", folder / "data.parquet")
    training = Training(folder, table, detect_schema(table, ignore_columns=["churn", "size"]))
    training.run(epochs=2)
    return training


@pytest.fixture(scope="session")
def fit(shop: Training, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Train a predictor on the customers; returns folder, result and reports."""
    from featrix_server.engine import PredictorOptions, fit_predictor

    def run(
        target: str = "churn",
        folder: Path | None = None,
        decide: Callable[[Any], str] = lambda report: "continue",
        labels: Any = None,
        **options: Any,
    ) -> tuple[Path, Any, list[Any]]:
        folder = folder or tmp_path_factory.mktemp("predictor")
        reports: list[Any] = []

        def on_epoch(report: Any) -> Any:
            reports.append(report)
            return decide(report)

        wanted = {"target_type": "set", "epochs": 3} | options
        result = fit_predictor(
            shop.table, shop.schema, shop.folder, folder,
            PredictorOptions(target, **wanted), on_epoch, labels=labels, info=INFO,
        )  # fmt: skip
        return folder, result, reports

    return run


@pytest.fixture(scope="session")
def churn(fit: Callable[..., Any]) -> tuple[Path, Any, list[Any]]:
    """A binary predictor of three epochs."""
    return fit()


@pytest.fixture(scope="session")
def spent(fit: Callable[..., Any]) -> tuple[Path, Any, list[Any]]:
    """A regressor of three epochs."""
    return fit("spent", target_type="scalar")


@pytest.fixture(scope="session")
def size(fit: Callable[..., Any]) -> tuple[Path, Any, list[Any]]:
    """A predictor of three classes, three epochs."""
    return fit("size")
