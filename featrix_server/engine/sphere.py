"""The learned 3D head: embeddings to points on the unit sphere that keep their neighbours.

Trained on a graph of exact nearest neighbours in the full embedding: a row must find one of its
neighbours in the batch (InfoNCE), likeness on the sphere being ``1 / (1 + KERNEL chord²)``, a
heavy-tailed kernel like that of t-SNE (van der Maaten and Hinton 2008).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from equinox import Module

from .neighbours import nearest
from .network import D_MODEL, Array, Dense, unit

NEIGHBOURS = 15
KERNEL = 150.0
HEAD_WIDTH = 128
GRAPH_BATCH = 256
GRAPH_CHUNK = 16
GRAPH_RATE = 5e-3
GRAPH_ROWS = 20_000
"""Rows of the final graph at most: its time grows with their square."""


class SphereHead(Module):
    """A linear map plus a small network, normalised, then turned by ``rotation``."""

    linear: Dense
    first: Dense
    second: Dense
    last: Dense
    rotation: Array  # (3, 3); not trained: it only keeps frames from spinning

    def raw(self, z: Array) -> Array:
        """Unit points (B, 3) before the rotation."""
        h = jax.nn.gelu(self.first(z * D_MODEL**0.5))
        h = jax.nn.gelu(self.second(h))
        return unit(self.linear(z) + self.last(h))

    def __call__(self, z: Array) -> Array:
        return self.raw(z) @ self.rotation

    @staticmethod
    def create(rng: np.random.Generator, components: np.ndarray, mean: np.ndarray) -> SphereHead:
        """Start at the first three principal ``components`` (d, 3) about ``mean`` (d,)."""
        return SphereHead(
            linear=Dense(components, -mean @ components),
            first=Dense.create(rng, D_MODEL, HEAD_WIDTH, D_MODEL),
            second=Dense.create(rng, HEAD_WIDTH, HEAD_WIDTH, HEAD_WIDTH),
            last=Dense.zero(HEAD_WIDTH, np.zeros(3, np.float32)),
            rotation=np.eye(3, dtype=np.float32),
        )


@lru_cache(maxsize=1)
def graph_optimiser() -> optax.GradientTransformation:
    """Adam without its rate: the caller's schedule scales each step."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())


def fresh_graph_state(head: SphereHead) -> optax.OptState:
    """The optimiser's state before its first step."""
    return zeros_like(jax.eval_shape(graph_optimiser().init, head))


def zeros_like(shapes: Any) -> Any:
    """Zeros of the shapes of a tree, made on the host."""
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def principal_components(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First three principal components (d, 3), scaled to unit variance, and the mean (d,)."""
    mean = z.mean(0)
    values, vectors = np.linalg.eigh(np.cov((z - mean).T.astype(np.float64)))
    scale = 1.0 / np.sqrt(np.maximum(values[:-4:-1], 1e-9))
    return (vectors[:, :-4:-1] * scale).astype(np.float32), mean.astype(np.float32)


def graph_loss(head: SphereHead, anchors: Array, friends: Array) -> Array:
    """InfoNCE of each anchor (B, d) finding its own friend among all friends (B, d)."""
    chord2 = 2.0 - 2.0 * head.raw(anchors) @ head.raw(friends).T
    likeness = 1.0 / (1.0 + KERNEL * jnp.maximum(chord2, 0.0))
    return (jnp.log(likeness.sum(1)) - jnp.log(jnp.diagonal(likeness))).mean()


@partial(jax.jit, donate_argnames=("head", "state"))
def graph_chunk(
    head: SphereHead,
    state: optax.OptState,
    anchors: Array,
    friends: Array,
    rates: Array,
    n_steps: Array,
) -> tuple[SphereHead, optax.OptState, Array]:
    """Take ``n_steps`` steps on chunks (GRAPH_CHUNK, GRAPH_BATCH, d); also the summed loss."""

    def step(i: Array, carry: tuple[SphereHead, optax.OptState, Array]) -> tuple:
        head, state, total = carry
        loss, gradient = jax.value_and_grad(graph_loss)(head, anchors[i], friends[i])
        updates, state = graph_optimiser().update(gradient, state)
        head = jax.tree.map(lambda p, u: p - rates[i] * u, head, updates)
        return head, state, total + loss

    return jax.lax.fori_loop(0, n_steps, step, (head, state, jnp.zeros(())))


class NeighbourGraph:
    """Rows and their nearest neighbours, as batches for the head.

    Parameters
    ----------
    z
        float32 (n, d) unit embeddings, n >= 2.
    """

    def __init__(self, z: np.ndarray) -> None:
        self.z = z
        self.neighbours = nearest(z, NEIGHBOURS)

    def train(
        self,
        head: SphereHead,
        state: optax.OptState,
        rates: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[SphereHead, optax.OptState, float]:
        """Take one step a rate; returns head, state and mean loss."""
        total = 0.0
        for start in range(0, len(rates), GRAPH_CHUNK):
            part = rates[start : start + GRAPH_CHUNK]
            padded = np.zeros(GRAPH_CHUNK, np.float32)
            padded[: len(part)] = part
            anchors, friends = self._draw(len(part), rng)
            head, state, loss = graph_chunk(
                head, state, anchors, friends, padded, np.int32(len(part))
            )
            total += float(loss)
        return head, state, total / max(len(rates), 1)

    def _draw(self, steps: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Rows and one neighbour of each for the first ``steps`` of a chunk."""
        rows = rng.integers(len(self.z), size=(steps, GRAPH_BATCH))
        which = rng.integers(self.neighbours.shape[1], size=rows.shape)
        anchors = np.zeros((GRAPH_CHUNK, GRAPH_BATCH, D_MODEL), np.float32)
        friends = np.zeros_like(anchors)
        anchors[:steps], friends[:steps] = self.z[rows], self.z[self.neighbours[rows, which]]
        return anchors, friends


def cosine_rates(peak: float, start: int, steps: int, total: int) -> Iterator[float]:
    """Rates of ``steps`` steps from ``start`` on a half cosine of ``total`` steps to zero."""
    for step in range(start, start + steps):
        yield float(peak * 0.5 * (1.0 + np.cos(np.pi * min(step / max(total, 1), 1.0))))
