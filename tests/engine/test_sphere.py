"""The 3D head: unit points that keep neighbours, better than principal components."""

from __future__ import annotations

import numpy as np
from sklearn.manifold import trustworthiness

from featrix_server.engine.model import points
from featrix_server.engine.neighbours import nearest
from featrix_server.engine.network import D_MODEL
from featrix_server.engine.sphere import (
    NeighbourGraph,
    SphereHead,
    cosine_rates,
    fresh_graph_state,
    principal_components,
)


def groups(n: int, k: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(k, D_MODEL))[rng.integers(k, size=n)] + 0.5 * rng.normal(size=(n, D_MODEL))
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


def fresh_head(z: np.ndarray):
    head = SphereHead.create(np.random.default_rng(0), *principal_components(z))
    return head, fresh_graph_state(head)


def test_nearest_neighbours_are_exact():
    z = groups(200, 4)
    angle = z @ z.T
    np.fill_diagonal(angle, -2)
    np.testing.assert_array_equal(nearest(z, 5), np.argsort(-angle, axis=1)[:, :5])


def test_few_rows_have_fewer_neighbours():
    assert nearest(groups(6, 2), 15).shape == (6, 5)


def test_the_head_keeps_neighbours_better_than_principal_components():
    z = groups(300, 12)
    head, state = fresh_head(z)
    before = points(head, z)
    rates = np.array(list(cosine_rates(2e-3, 0, 160, 160)), np.float32)
    graph = NeighbourGraph(z)
    head, _, loss = graph.train(head, state, rates, np.random.default_rng(0))
    after = points(head, z)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1.0, atol=1e-5)
    assert np.isfinite(loss)
    assert trustworthiness(z, after, n_neighbors=10) > trustworthiness(z, before, n_neighbors=10)


def test_training_leaves_the_rotation_alone():
    z = groups(100, 3)
    head, state = fresh_head(z)
    rates = np.full(3, 2e-3, np.float32)
    head, _, _ = NeighbourGraph(z).train(head, state, rates, np.random.default_rng(0))
    np.testing.assert_array_equal(np.asarray(head.rotation), np.eye(3))


def test_rates_fall_from_the_peak_to_zero_across_calls():
    whole = list(cosine_rates(1.0, 0, 10, 10))
    halves = [*cosine_rates(1.0, 0, 5, 10), *cosine_rates(1.0, 5, 5, 10)]
    assert whole == halves
    assert whole[0] == 1.0
    assert whole == sorted(whole, reverse=True)
