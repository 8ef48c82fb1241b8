"""Training: honest reports, same seed same model, exact resume, pause and stop."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest

from featrix_server.engine import EmbeddingModel, FrameStore, programs
from featrix_server.engine.losses import JOINT_WEIGHT, MARGINAL_WEIGHT, SPREAD_WEIGHT
from featrix_server.engine.plan import TrainOptions, make_plan
from featrix_server.engine.programs import train_chunk
from featrix_server.engine.report import Pace

ARTEFACTS = (
    "schema.json",
    "model.safetensors",
    "embeddings.npy",
    "sphere.npy",
    "clusters.json",
    "preview.png",
    "card.json",
    "frames.bin",
    "frames.json",
)
EXACT = ("model.safetensors", "embeddings.npy", "sphere.npy", "clusters.json", "frames.bin")


def test_every_total_is_the_exact_weighted_sum_of_its_parts(trained):
    training, _ = trained
    for report in training.reports:
        for kind in ("", "validation_"):
            parts = [
                getattr(report, f"{kind}{part}_loss") for part in ("joint", "marginal", "spread")
            ]
            weights = (JOINT_WEIGHT, MARGINAL_WEIGHT, SPREAD_WEIGHT)
            whole = weights[0] * parts[0] + weights[1] * parts[1] + weights[2] * parts[2]
            assert getattr(report, "loss" if not kind else "validation_loss") == whole


def test_reports_tell_the_story(trained):
    training, result = trained
    reports = training.reports
    space = [report for report in reports if report.phase == "space"]
    assert [report.epoch for report in reports] == list(range(reports[-1].total_epochs + 1))
    assert (result.status, result.epochs, space[-1].epoch) == ("done", 12, 12)
    assert space[-1].validation_loss < space[0].validation_loss - 1
    assert result.final_loss == min(report.validation_loss for report in space)
    assert result.best_epoch == space[-1].best_epoch
    assert [report.phase_epoch for report in reports] == [*range(13), *range(1, 11)]
    assert [report.phase_epochs for report in reports] == [12] * 13 + [10] * 10
    assert all((report.gradient_norm is None) == (report.phase == "sphere") for report in reports)
    assert space[1].learning_rate > space[-1].learning_rate > 0
    for report in reports:
        text = json.dumps(report.to_dict(), allow_nan=False)
        assert type(report).from_dict(json.loads(text)) == report


def test_time_left_counts_no_epoch_that_compiled(trained):
    training, _ = trained
    left = [report.seconds_left for report in training.reports]
    assert left[:2] == [None, None]
    assert all(later is not None for later in left[2:])
    assert left[-1] == 0
    pace = Pace()
    assert (pace.seconds(0), pace.seconds(3)) == (0, None)
    for seconds in (60.0, 0.5, 0.5, 9.0):
        pace.add(seconds)
    assert pace.seconds(3) == 1.5


def test_related_columns_share_bits_and_an_unrelated_one_does_not(make_training, people):
    training = make_training(people(400))
    training.run(epochs=40)
    columns = training.reports[-1].columns
    assert set(columns) == {"age", "income", "plan", "town"}
    bits = {name: figures["mutual_information_bits"] for name, figures in columns.items()}
    assert bits["plan"] > 0.8  # of log2(3) = 1.58, on few rows
    assert bits["town"] < 0.1
    for name, figures in columns.items():
        assert figures["marginal_loss"] > 0, name
        assert bits[name] >= 0


def test_all_files_are_there_and_agree(trained):
    training, result = trained
    for name in ARTEFACTS:
        assert (training.folder / name).stat().st_size > 0, name
    assert not list(training.folder.glob(".*")), "temporary files left"
    z = np.load(training.folder / "embeddings.npy")
    xyz = np.load(training.folder / "sphere.npy")
    assert (z.shape, z.dtype) == ((300, result.d_model), np.float32)
    assert (xyz.shape, xyz.dtype) == ((300, 3), np.float32)
    for vectors in (z, xyz):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    frames = FrameStore(training.folder)
    assert frames.epochs == [report.epoch for report in training.reports]
    np.testing.assert_allclose(frames.read()[-1], xyz[frames.row_ids], atol=1e-5)
    records = training.table.rows(np.arange(300))
    long, short = EmbeddingModel.load(training.folder).encode(records)
    np.testing.assert_allclose(long, z, atol=1e-5)
    np.testing.assert_allclose(short, xyz, atol=1e-5)


def test_frames_are_turned_onto_one_another(trained):
    training, _ = trained
    frames = FrameStore(training.folder).read()
    np.testing.assert_allclose(np.linalg.norm(frames, axis=2), 1, atol=1e-5)
    assert len(np.unique(FrameStore(training.folder).row_ids)) == 300
    for before, after in itertools.pairwise(frames):
        # What rotation is left to take out is none.
        left, _, right = np.linalg.svd(after.T @ before)
        assert np.trace(left @ right) == pytest.approx(3, abs=1e-3)


def test_kept_weights(trained):
    training, result = trained
    names = sorted(path.name for path in (training.folder / "checkpoints").iterdir())
    assert names == ["best.safetensors", "epoch_010.safetensors", "last.safetensors"]
    best = EmbeddingModel.load(training.folder, "best")
    assert best.header["epoch"] == result.best_epoch
    assert EmbeddingModel.load(training.folder, "epoch_010").header["epoch"] == 10


def test_same_seed_same_model_and_another_seed_another(make_training, trained):
    training, _ = trained
    again = make_training()
    again.run(epochs=12)
    for name in EXACT:
        same = (again.folder / name).read_bytes() == (training.folder / name).read_bytes()
        assert same, name
    other = make_training()
    other.run(epochs=12, seed=1)
    assert other.reports[-1].loss != training.reports[-1].loss


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("killed_at", [1, 7, 15])
def test_a_killed_training_resumes_bit_for_bit(make_training, trained, killed_at):
    whole, expected = trained
    training = make_training()

    def die(report):
        if report.epoch == killed_at:
            raise KilledError
        return "continue"

    with pytest.raises(KilledError):
        training.run(die, epochs=12)
    reported = len(training.reports)
    result = training.run(epochs=12)
    assert training.reports[reported].epoch == killed_at, "lost more than the running epoch"
    for name in EXACT:
        same = (training.folder / name).read_bytes() == (whole.folder / name).read_bytes()
        assert same, name
    assert result.final_loss == expected.final_loss


def test_pause_writes_a_checkpoint_and_resume_goes_on_exactly(make_training, trained):
    whole, _ = trained
    training = make_training()
    for epoch in (2, 15):
        result = training.run(
            lambda report, at=epoch: "pause" if report.epoch == at else "continue", epochs=12
        )
        assert (result.status, result.epochs, result.card) == ("paused", min(epoch, 12), {})
    assert not (training.folder / "model.safetensors").exists()
    assert EmbeddingModel.load(training.folder).header["epoch"] <= 12
    assert training.run(epochs=12).status == "done"
    assert [report.epoch for report in training.reports] == list(range(23))
    for name in EXACT:
        same = (training.folder / name).read_bytes() == (whole.folder / name).read_bytes()
        assert same, name


def test_stop_finishes_early_with_everything(make_training):
    training = make_training()
    result = training.run(lambda report: "stop" if report.epoch == 2 else "continue", epochs=12)
    assert (result.status, result.epochs) == ("stopped", 2)
    assert training.reports[-1].epoch == training.reports[-1].total_epochs == 12
    for name in ARTEFACTS:
        assert (training.folder / name).stat().st_size > 0, name
    assert "stopped by the user" in result.card["decisions"]["training_end"]


def test_a_second_table_of_the_size_class_compiles_nothing(make_training, trained):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({f"n{i}": rng.normal(size=350) for i in range(7)})
    frame["word"] = rng.choice(["red", "green"], size=350)
    before = train_chunk._cache_size(), programs.validate_chunk._cache_size()
    make_training(frame).run(epochs=1)
    assert (train_chunk._cache_size(), programs.validate_chunk._cache_size()) == before


def test_a_table_read_from_disk_as_needed(make_training):
    training = make_training()
    result = training.run(epochs=3, foundation_mode=True)
    assert result.card["training_config"]["foundation_mode"] is True
    assert result.epochs == 3
    assert np.load(training.folder / "embeddings.npy").shape == (300, result.d_model)


def test_plans_follow_the_size_of_the_table():
    small, long = make_plan(300, TrainOptions()), make_plan(32_561, TrainOptions())
    assert (small.batch, small.steps) == (128, 1)
    assert small.epochs <= 250
    assert (long.batch, long.steps, long.epochs) == (512, 50, 20)
    assert make_plan(300, TrainOptions(epochs=7)).epochs == 7
    assert make_plan(200_001, TrainOptions()).foundation
    assert not make_plan(200_001, TrainOptions(foundation_mode=False)).foundation
    assert "1000 steps" in long.reasons["epochs"]
    for plan in (small, long, make_plan(20, TrainOptions())):
        train, validation = plan.split()
        assert len(np.intersect1d(train, validation)) == 0
        assert len(train) + len(validation) == plan.n_rows
        assert all(plan.reasons.values())
        total = plan.epochs * plan.steps
        rates = [plan.rate(step) for step in range(total)]
        assert all(rate > 0 for rate in rates)
        assert max(rates) == pytest.approx(2e-3)
        assert rates[-1] < 1e-3 or math.isclose(total, 1)
