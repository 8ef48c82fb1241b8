"""Encoding: deterministic, order kept, partial and odd records welcome, padding without effect."""

from __future__ import annotations

import json

import equinox as eqx
import jax
import numpy as np
import pytest

from featrix_server.engine import CheckpointError, EmbeddingModel
from featrix_server.engine.batches import Layout, batch_size, shape_for
from featrix_server.engine.losses import draw_views, loss_parts
from featrix_server.engine.model import points
from featrix_server.engine.watch import GradientWatch


@pytest.fixture(scope="module")
def model(trained) -> EmbeddingModel:
    return EmbeddingModel.load(trained[0].folder)


@pytest.fixture(scope="module")
def records(trained) -> list[dict]:
    return trained[0].table.rows(np.arange(40))


def test_one_by_one_equals_a_batch(model, records):
    together = model.encode(records)
    for index in (0, 7, 39):
        alone = model.encode(records[index : index + 1])
        for batch, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(batch[index], single[0], atol=1e-6)
    for size in (1, 2, 16, 17, 40):
        np.testing.assert_allclose(model.encode(records[:size])[0], together[0][:size], atol=1e-6)


def test_vectors_are_unit_and_deterministic(model, records):
    long, short = model.encode(records)
    assert (long.shape, short.shape) == ((40, model.d_model), (40, 3))
    for vectors in (long, short):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(long, model.encode(records)[0])
    assert model.encode([])[0].shape == (0, model.d_model)


def test_absent_columns_are_unknown_and_extra_ones_ignored(model, records):
    without = [{key: value for key, value in one.items() if key != "plan"} for one in records]
    hidden = model.encode(records, hidden={"plan"})[0]
    np.testing.assert_allclose(model.encode(without)[0], hidden, atol=1e-6)
    assert not np.allclose(hidden, model.encode(records)[0], atol=1e-3)
    extra = [{**one, "unheard_of": object()} for one in records]
    np.testing.assert_array_equal(model.encode(extra)[0], model.encode(records)[0])
    assert np.isfinite(model.encode([{}])[0]).all()


def test_missing_is_not_unknown_and_odd_values_do_not_fail(model, records):
    row = records[0]
    missing = model.encode([{**row, "age": None}])[0]
    unknown = model.encode([row], hidden={"age"})[0]
    assert not np.allclose(missing, unknown, atol=1e-3)
    for blank in (float("nan"), ""):
        np.testing.assert_array_equal(model.encode([{**row, "age": blank}])[0], missing)
    odd = {"age": [1, 2], "income": "1e999", "plan": {"a": 1}, "town": b"\xff"}
    for vectors in model.encode([odd]):
        assert np.isfinite(vectors).all()


def test_an_unseen_category_is_coded_by_its_spelling(model, records):
    row = records[0]
    unseen = model.encode([{**row, "town": "Kielx"}, {**row, "town": "Zürich"}])[0]
    assert not np.allclose(unseen[0], unseen[1], atol=1e-4)
    assert not np.allclose(unseen[0], model.encode([{**row, "town": None}])[0][0], atol=1e-4)


def test_tokens_stand_at_their_columns(model, records):
    rows = model.rows(records)
    tokens = model.tokens(rows, model.hidden(records, {"town"}))
    assert tokens.shape[:2] == (40, model.layout.shape.columns)
    real = sorted(model.layout.position.values())
    padding = np.setdiff1d(np.arange(model.layout.shape.columns), real)
    assert (tokens[:, padding] == 0).all()
    town = tokens[:, model.layout.position["town"]]
    assert (town == town[0]).all()
    assert tokens[:, model.layout.position["income"]].std() > 0


def padded(array, shape, fill):
    """``array`` in the corner of a larger one full of ``fill``."""
    result = np.full(shape, fill, np.asarray(array).dtype)
    result[tuple(slice(size) for size in np.shape(array))] = array
    return result


def test_padding_changes_nothing(model, records):
    """The same weights in a wider shape, garbage in the padding, give the same losses."""
    wide = Layout(model.encoders, shape_for(13, 13, 3, 257))
    narrow = model.layout.shape
    # Positions differ between the shapes, so rearrange what is stored by position.
    old = np.array([model.layout.position[one.name] for one in model.encoders])
    new = np.array([wide.position[one.name] for one in model.encoders])

    def moved(array):
        array = np.asarray(array)
        result = np.full((wide.shape.columns, *array.shape[1:]), 9.0, array.dtype)
        result[new] = array[old]
        return result

    def moved_weights(array):
        array = np.asarray(array).reshape(narrow.columns, -1, np.asarray(array).shape[-1])
        return moved(array).reshape(-1, array.shape[-1])

    net, n_targets = model.net, wide.shape.targets
    wider = eqx.tree_at(
        lambda net: (
            net.number_weight, net.frequency, net.category_table, net.dense_weight,
            net.column_bias, net.missing, net.hidden, net.enter.weight, net.skip,
            net.target.weight, net.target.bias, net.rank.weight, net.rank.bias,
        ),
        net,
        (
            padded(net.number_weight, (wide.shape.numbers, *net.number_weight.shape[1:]), 9),
            padded(net.frequency, (wide.shape.numbers, net.frequency.shape[1]), 9),
            padded(net.category_table, (n_targets, net.category_table.shape[1]), 9),
            padded(net.dense_weight, (wide.shape.dense, *net.dense_weight.shape[1:]), 9),
            moved(net.column_bias), moved(net.missing), moved(net.hidden),
            moved_weights(net.enter.weight), moved_weights(net.skip),
            padded(net.target.weight, (net.target.weight.shape[0], n_targets), 9),
            padded(net.target.bias, (n_targets,), 9),
            padded(net.rank.weight, (net.rank.weight.shape[0], wide.shape.numbers), 9),
            padded(net.rank.bias, (wide.shape.numbers,), 9),
        ),
    )  # fmt: skip
    other = EmbeddingModel(model.schema, wide, wider, model.head)
    for mine, theirs in zip(model.encode(records), other.encode(records), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)

    # Rows of weight zero do not exist either.
    views = draw_views(np.random.default_rng(0), (60,), narrow)
    batch = model.rows(records).pad(60).arrays() | views
    weight = (np.arange(60) < 40).astype(np.float32)
    measure = jax.jit(loss_parts)
    few = measure(model.net, model.constants, batch, weight)
    batch["numbers"][40:], batch["categories"][40:] = 1e6, 0
    same = measure(model.net, model.constants, batch, weight)
    for mine, theirs in zip(few, same, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_points_of_many_rows_are_split_and_padded(model):
    z = np.random.default_rng(0).normal(size=(2_500, model.d_model)).astype(np.float32)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(
        points(model.head, z)[2_400:], points(model.head, z[2_400:]), atol=1e-6
    )


def test_damage_and_absence_are_said_clearly(trained, tmp_path):
    folder = trained[0].folder
    with pytest.raises(CheckpointError, match="no checkpoint"):
        EmbeddingModel.load(folder, "epoch_999")
    with pytest.raises(CheckpointError, match="columns of the model"):
        EmbeddingModel.load(tmp_path)
    for name in ("schema.json", "encoders.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    encoders = json.loads((tmp_path / "encoders.json").read_text())
    content = (folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        EmbeddingModel.load(tmp_path)
    (tmp_path / "encoders.json").write_text(json.dumps(encoders * 7))
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="another model"):
        EmbeddingModel.load(tmp_path)


def test_shapes_come_from_a_short_ladder():
    assert shape_for(3, 5, 0, 100) == shape_for(12, 12, 2, 256)
    assert shape_for(33, 40, 0, 1_000) == (48, 48, 2, 1_024)
    assert shape_for(1, 7_000, 1, 1).categories == 7_000
    assert [batch_size(n) for n in (100, 1_499, 1_500, 11_999, 12_000)] == [128, 128, 256, 256, 512]


def test_bad_gradients_are_reported_with_their_columns(model):
    watch = GradientWatch(model.layout)
    columns = model.layout.shape.columns
    at = model.layout.position["age"]
    calm = np.zeros(columns)
    calm[list(model.layout.position.values())] = 0.01
    wild, bad = calm.copy(), np.zeros(columns)
    wild[at], bad[at] = 50.0, 2.0
    watch.see({"bad_steps": np.float64(0), "bad_columns": calm * 0, "column_gradient": calm})
    assert watch.warnings() == []
    for _ in range(3):
        watch.see({"bad_steps": np.float64(2), "bad_columns": bad, "column_gradient": wild})
    again = GradientWatch(model.layout)
    again.restore(json.loads(json.dumps(watch.state())))
    found = {one["type"]: one for one in again.warnings()}
    assert set(found) == {"NON_FINITE_GRADIENT", "EXPLODING_GRADIENT"}
    assert all(one["columns"] == ["age"] for one in found.values())
