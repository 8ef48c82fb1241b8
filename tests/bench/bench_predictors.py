"""Are predictors worth trusting? Against their peers, in the same run, on the same splits.

``python tests/bench/bench_predictors.py [--tables telco_churn hpc_jobs] [--quick] [--few]``

For each labelled table: an embedding space trained on the training rows (target hidden unless
``--target-in-space``), then our predictor and the peers at their defaults on one thread: ROC-AUC
(one against the rest, macro) or R2 on the other rows, fit seconds, expected calibration error
beside the error that true chances would show there, interval coverage, and the time of single
answers and batches. ``--quick``: one split, a barely trained space, fast peers only. ``--few``:
100 labels, the other training rows unlabelled.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split

DATA = Path(os.environ.get("FEATRIX_BENCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
BOOSTED = ("HistGB", "LightGBM", "XGBoost", "CatBoost")
FEW = 100
DRAWS = 10
SINGLE = 500


def categorical(frame: pd.DataFrame) -> pd.DataFrame:
    """Texts and flags as pandas categories."""
    numbers = frame.select_dtypes("number").columns
    return frame.assign(
        **{name: frame[name].astype("category") for name in frame.columns.difference(numbers)}
    )[list(frame.columns)]


def answer_of(model: Any, x: pd.DataFrame, task: str) -> np.ndarray:
    """Chances or numbers of a fitted scikit-learn estimator."""
    return np.asarray(model.predict(x) if task == "regression" else model.predict_proba(x))


def linear(task: str) -> Any:
    """Cross-validated logistic or ridge regression on one-hot + scaled columns."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegressionCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="ignore", min_frequency=2),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    if task == "regression":
        return make_pipeline(columns, RidgeCV(np.logspace(-2, 4, 13)))
    head = LogisticRegressionCV(
        Cs=np.logspace(-3, 1, 5), cv=3, max_iter=300, scoring="neg_log_loss",
        l1_ratios=(0,), use_legacy_attributes=False,
    )  # fmt: skip
    return make_pipeline(columns, head)


def peers(task: str, slow: bool) -> dict[str, Callable[[], Any]]:
    """Makers of the peers; those that are not installed are left out."""
    classify = task != "regression"

    def hist() -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
        return kind(categorical_features="from_dtype", random_state=0)

    def light() -> Any:
        from lightgbm import LGBMClassifier, LGBMRegressor

        kind = LGBMClassifier if classify else LGBMRegressor
        return kind(n_jobs=1, verbosity=-1, random_state=0)

    def extreme() -> Any:
        from xgboost import XGBClassifier, XGBRegressor

        kind = XGBClassifier if classify else XGBRegressor
        return kind(n_jobs=1, enable_categorical=True, random_state=0)

    def cat() -> Any:
        from catboost import CatBoostClassifier, CatBoostRegressor

        kind = CatBoostClassifier if classify else CatBoostRegressor
        return kind(thread_count=1, verbose=0, random_seed=0, allow_writing_files=False)

    def realmlp() -> Any:
        from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

        kind = RealMLP_TD_S_Classifier if classify else RealMLP_TD_S_Regressor
        return with_numbers(kind(device="cpu", n_threads=1, random_state=0))

    found: dict[str, Callable[[], Any]] = {
        "linear": lambda: linear(task), "HistGB": hist, "LightGBM": light, "XGBoost": extreme,
    }  # fmt: skip
    return found | ({"CatBoost": cat, "RealMLP-S": realmlp} if slow else {})


def with_numbers(model: Any) -> Any:
    """A model that takes no missing numbers, given their medians."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    columns = make_column_transformer(
        (fill, make_column_selector(dtype_include="number")),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(columns.set_output(transform="pandas"), model)


def fit_peer(name: str, make: Callable[[], Any], x: pd.DataFrame, y: np.ndarray) -> Any:
    """Fit a peer; categories as it wants them."""
    model = make()
    if name == "CatBoost":
        texts = list(x.select_dtypes("category").columns)
        return model.fit(plain(x), y, cat_features=texts)
    return model.fit(x, y)


def plain(x: pd.DataFrame) -> pd.DataFrame:
    """Categories as texts, missing ones too."""
    texts = x.select_dtypes("category").columns
    return x.assign(**{name: x[name].astype(object).fillna("-").astype(str) for name in texts})


def score(y: np.ndarray, answer: np.ndarray, task: str) -> float:
    """R2, or ROC-AUC: one against the rest, macro."""
    if task == "regression":
        return float(r2_score(y, answer))
    if answer.shape[1] == 2:
        return float(roc_auc_score(y, answer[:, 1]))
    return float(np.mean([roc_auc_score(y == k, answer[:, k]) for k in range(answer.shape[1])]))


class Ours:
    """Our predictor of one split: space, fit, answers."""

    def __init__(self, folder: Path, target: str, task: str) -> None:
        self.folder, self.target, self.task = folder, target, task
        self.columns: list[str] = []

    def space(self, frame: pd.DataFrame, *, known: bool, trained: bool) -> float:
        """Make the embedding space of some rows; returns seconds."""
        from featrix_server.engine import TrainOptions, detect_schema, pretrain, read_table

        start = time.perf_counter()
        frame.to_csv(self.folder / "table.csv", index=False)
        self.table = read_table(self.folder / "table.csv", self.folder / "data.parquet")
        ignored = [self.target] if not known and self.target in frame else []
        self.schema = detect_schema(self.table, ignore_columns=ignored)
        options = TrainOptions(epochs=None if trained else 1)
        pretrain(
            self.table, self.schema, self.folder / "space", options, lambda report: "continue",
            info={},
        )  # fmt: skip
        return time.perf_counter() - start

    def warm(self, n_classes: int) -> None:
        """Compile the programs of this size, as a server in use has done."""
        from featrix_server.engine.predictors import network
        from featrix_server.engine.predictors.features import Features

        network.warm(Features(self.folder / "space", self.target).layout.shape, n_classes)

    def fit(self, name: str, labels: Any = None) -> Any:
        """Train a predictor and load it."""
        from featrix_server.engine import PredictorModel, PredictorOptions, fit_predictor

        kind = "scalar" if self.task == "regression" else "set"
        self.result = fit_predictor(
            self.table, self.schema, self.folder / "space", self.folder / name,
            PredictorOptions(self.target, kind), lambda report: "continue", labels=labels, info={},
        )  # fmt: skip
        return PredictorModel.load(self.folder / name, self.folder / "space")


def ours_answer(model: Any, predictions: list[Any], classes: list[str]) -> np.ndarray:
    """Our predictions as the peers give them."""
    if model.kind == "regression":
        return np.array([one.prediction for one in predictions])
    return np.array([[one.probabilities[label] for label in classes] for one in predictions])


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as a client sends them."""
    found: list[dict[str, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return found


def calibration(y: np.ndarray, chances: np.ndarray) -> dict[str, float]:
    """Our calibration error on test rows, and that of labels drawn from our chances: the floor."""
    from featrix_server.engine.predictors.metrics import calibration_error

    rng = np.random.default_rng(0)
    chance = chances[:, 1]
    floor = [calibration_error(rng.random(len(chance)) < chance, chance) for _ in range(50)]
    return {"ece": calibration_error(y == 1, chance), "ece_floor": float(np.mean(floor))}


def timings(model: Any, light: Any, x: pd.DataFrame, records: list[dict[str, Any]]) -> dict:
    """Milliseconds of one answer (LightGBM: of a one-row frame), seconds of 100,000 rows."""
    from featrix_server.serving import spare_the_collector

    found = {}
    frames = [x.iloc[i : i + 1] for i in range(min(SINGLE, len(x)))]
    for name, ask, rows in (
        ("ours", lambda row: model.predict([row]), records[:SINGLE]),
        ("LightGBM", lambda row: light.booster_.predict(row), frames),
    ):
        spent = []
        for row in rows:
            start = time.perf_counter()
            ask(row)
            spent.append(1e3 * (time.perf_counter() - start))
        found[f"{name}_p50_ms"], found[f"{name}_p95_ms"] = np.quantile(spent[20:], [0.5, 0.95])
    spare_the_collector()  # as a server does when it starts
    many = (records * (100_000 // len(records) + 1))[:100_000]
    wide = pd.concat([x] * (100_000 // len(x) + 1)).iloc[:100_000]
    for name, ask, rows in (("ours", model.predict, many), ("LightGBM", light.predict, wide)):
        start = time.perf_counter()
        ask(rows)
        found[f"{name}_100k_s"] = time.perf_counter() - start
    return found


def measure(facts: dict[str, Any], seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One split of one table: scores and seconds of everybody."""
    frame = pd.read_csv(DATA / facts["file"]).dropna(subset=[facts["target"]])
    frame = frame.reset_index(drop=True)
    task, target = facts["task"], facts["target"]
    labels = frame[target]
    classes = [] if task == "regression" else sorted(map(str, labels.unique()))
    stratify, y = None, labels.to_numpy()
    if task != "regression":
        stratify = y = pd.factorize(labels.astype(str), sort=True)[0]
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.2, random_state=seed, stratify=stratify
    )
    x = categorical(frame.drop(columns=target))
    scores, seconds, light = {}, {}, None
    for name, make in peers(task, not options.quick).items():
        start = time.perf_counter()
        try:
            model = fit_peer(name, make, x.iloc[train], y[train])
        except ImportError as error:
            print(f"  {name} is left out: {error}")
            continue
        seconds[name] = time.perf_counter() - start
        asked = plain(x.iloc[test]) if name == "CatBoost" else x.iloc[test]
        scores[name] = score(y[test], answer_of(model, asked, task), task)
        light = model if name == "LightGBM" else light
    extra: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        ours = Ours(Path(name), target, task)
        extra["space_s"] = ours.space(
            frame.iloc[train], known=options.target_in_space, trained=not options.quick
        )
        ours.warm(len(classes))
        start = time.perf_counter()
        model = ours.fit("predictor")
        seconds["ours"] = time.perf_counter() - start
        records = records_of(frame.drop(columns=target).iloc[test])
        predictions = model.predict(records)
        answer = ours_answer(model, predictions, classes)
        scores["ours"] = score(y[test], answer, task)
        if task == "binary":
            extra |= calibration(y[test], answer)
        if task == "regression":
            inside = [
                p.interval_low <= v <= p.interval_high
                for p, v in zip(predictions, y[test], strict=True)
            ]
            extra["coverage"] = float(np.mean(inside))
        extra["weights"] = ours.result.card["ensemble"][model.facts["default"]]["weights"]
        if seed == 0 and not options.quick:
            extra |= timings(model, light, x.iloc[test], records)
    return {"scores": scores, "seconds": seconds, **extra}


def measure_few(facts: dict[str, Any]) -> dict[str, float]:
    """100 labels: mean score over draws of ours and of the peers on the labelled rows alone."""
    from featrix_server.engine import read_table

    frame = pd.read_csv(DATA / facts["file"]).dropna(subset=[facts["target"]])
    frame = frame.reset_index(drop=True)
    task, target = facts["task"], facts["target"]
    y, classes = pd.factorize(frame[target].astype(str), sort=True)
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0, stratify=y)
    x = categorical(frame.drop(columns=target))
    totals: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        ours = Ours(Path(name), target, task)
        ours.space(frame.drop(columns=target).iloc[train], known=False, trained=True)
        records = records_of(frame.drop(columns=target).iloc[test])
        for draw in range(DRAWS):
            rows, used = draw_labels(y[train], draw)
            labelled = train[rows]
            names = [classes[k] for k in used]
            for peer, make in peers(task, slow=True).items():
                if peer in ("linear", "LightGBM", "CatBoost"):
                    model = fit_peer(
                        peer, make, x.iloc[labelled], np.searchsorted(used, y[labelled])
                    )
                    asked = plain(x.iloc[test]) if peer == "CatBoost" else x.iloc[test]
                    totals.setdefault(peer, []).append(
                        few_score(y[test], used, answer_of(model, asked, task))
                    )
            path = Path(name) / f"labels{draw}"
            pd.DataFrame({"__featrix_row_id": rows, target: classes[y[labelled]]}).to_csv(
                path.with_suffix(".csv"), index=False
            )
            labels = read_table(path.with_suffix(".csv"), path.with_suffix(".parquet"))
            model = ours.fit(f"few{draw}", labels)
            totals.setdefault("ours", []).append(
                few_score(y[test], used, ours_answer(model, model.predict(records), names))
            )
    return {name: float(np.mean(values)) for name, values in totals.items()}


def draw_labels(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """100 rows, every class that is drawn at least twice; and those classes."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    rows = order[:FEW]
    counts = np.bincount(y[rows], minlength=y.max() + 1)
    kept = rows[counts[y[rows]] >= 2]
    return kept, np.flatnonzero(counts >= 2)


def few_score(y: np.ndarray, used: np.ndarray, answer: np.ndarray) -> float:
    """Macro ROC-AUC over the classes that had labels."""
    if len(used) == 2:
        return float(roc_auc_score(y == used[1], answer[:, 1]))
    return float(np.mean([roc_auc_score(y == k, answer[:, i]) for i, k in enumerate(used)]))


def splits(facts: dict[str, Any], options: argparse.Namespace) -> int:
    """Splits of a table: 5 under 1,000 rows, 3 under 5,000, else 1."""
    if options.quick:
        return 1
    if options.splits:
        return int(options.splits)
    return 5 if facts["rows"] < 1_000 else 3 if facts["rows"] < 5_000 else 1


def summarise(table: dict[str, dict[str, float]]) -> None:
    """Mean rank, and the ratio to the median boosted peer."""
    names = sorted({name for scores in table.values() for name in scores})
    ranks = pd.DataFrame(table).T[names].rank(axis=1, ascending=False)
    print("mean rank", {name: round(float(ranks[name].mean()), 2) for name in names})
    for name in names:
        ratios = [
            scores[name] / np.median([scores[one] for one in BOOSTED if one in scores])
            for scores in table.values()
            if name in scores
        ]
        print(f"  {name:10} ratio {np.mean(ratios):.4f}, lowest {min(ratios):.4f}")


def main() -> None:
    """Print a block a table, then ranks and ratios."""
    facts = json.loads((DATA / "datasets.json").read_text())
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", default=[one["name"] for one in facts])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--few", action="store_true")
    parser.add_argument("--target-in-space", action="store_true")
    parser.add_argument("--splits", type=int, default=0)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    table: dict[str, dict[str, float]] = {}
    for one in facts:
        if one["name"] not in options.tables or (options.few and one["task"] == "regression"):
            continue
        if options.few:
            table[one["name"]] = measure_few(one)
            print(one["name"], {k: round(v, 4) for k, v in table[one["name"]].items()}, flush=True)
            continue
        runs = [measure(one, seed, options) for seed in range(splits(one, options))]
        table[one["name"]] = {
            name: float(np.mean([run["scores"][name] for run in runs]))
            for name in runs[0]["scores"]
        }
        print(f"{one['name']} ({len(runs)} splits)")
        for name, value in table[one["name"]].items():
            spent = np.mean([run["seconds"][name] for run in runs])
            print(f"  {name:10} {value:.4f}  {spent:8.2f} s")
        for name in runs[0]:
            if name not in ("scores", "seconds", "weights"):
                print(f"  {name:16} {np.mean([run[name] for run in runs if name in run]):.4g}")
        print("  weights", runs[0]["weights"], flush=True)
    summarise(table)


if __name__ == "__main__":
    main()
