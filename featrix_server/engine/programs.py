"""The compiled programs of the trainer, one set a shape and batch size.

Each takes a chunk of batches gathered on the host and how many of them to use, so neither the
number of rows nor of steps is a shape: a second table of the same size class compiles nothing.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from .losses import Parts, loss_parts
from .network import Array, Batch, Constants, SpaceNet
from .sphere import SphereHead, zeros_like

CHUNK = 16
"""Batches a training program takes at once."""
VALIDATION_CHUNK = 8
"""Batches a validation program takes at once."""
CLIP_NORM = 1.0
WEIGHT_DECAY = 0.01

Sums = dict[str, Array]


@lru_cache(maxsize=1)
def optimiser() -> optax.GradientTransformation:
    """Clipped AdamW without its rate: the caller's schedule scales each step."""
    return optax.chain(
        optax.clip_by_global_norm(CLIP_NORM),
        optax.scale_by_adam(),
        optax.add_decayed_weights(WEIGHT_DECAY),
    )


def fresh_state(net: SpaceNet) -> optax.OptState:
    """The optimiser's state before its first step."""
    return zeros_like(jax.eval_shape(optimiser().init, net))


def _loss(net: SpaceNet, constants: Constants, batch: Batch, weight: Array) -> tuple[Array, Parts]:
    parts = loss_parts(net, constants, batch, weight)
    return parts.total(), parts


def _zero_sums(n_columns: int) -> Sums:
    scalars = ("joint", "marginal", "spread", "gradient_norm", "weight", "bad_steps")
    columns = ("column_loss", "column_count", "column_gradient", "bad_columns")
    return {
        **{name: jnp.zeros(()) for name in scalars},
        **{name: jnp.zeros(n_columns) for name in columns},
    }


def _add_parts(sums: Sums, parts: Parts, weight: Array, share: Array | float = 1.0) -> Sums:
    rows = weight.sum() * share
    return {
        **sums,
        "joint": sums["joint"] + jnp.where(rows > 0, rows * parts.joint, 0.0),
        "marginal": sums["marginal"] + jnp.where(rows > 0, rows * parts.marginal, 0.0),
        "spread": sums["spread"] + jnp.where(rows > 0, rows * parts.spread, 0.0),
        "column_loss": sums["column_loss"] + jnp.where(rows > 0, parts.column_loss, 0.0),
        "column_count": sums["column_count"] + jnp.where(rows > 0, parts.column_count, 0.0),
        "weight": sums["weight"] + rows,
    }


@partial(jax.jit, donate_argnames=("net", "state"))
def train_chunk(
    net: SpaceNet,
    state: optax.OptState,
    constants: Constants,
    chunk: Batch,
    weights: Array,
    rates: Array,
    n_steps: Array,
) -> tuple[SpaceNet, optax.OptState, Sums]:
    """Take ``n_steps`` optimiser steps on the first batches of a chunk.

    A step whose gradient is not finite changes nothing and is counted, with the columns whose own
    parameters it came from.

    Parameters
    ----------
    chunk
        Arrays ``(CHUNK, B, ...)`` of :class:`~.batches.Rows` and of ``draw_views``.
    weights
        (CHUNK, B), 1 for a row, 0 for padding.
    rates
        (CHUNK,) learning rates.

    Returns
    -------
    net, state, sums
        Sums over the finite steps: loss parts times rows, and what the report needs.
    """

    def step(i: Array, carry: tuple[Any, Any, Sums]) -> tuple[Any, Any, Sums]:
        net, state, sums = carry
        batch = jax.tree.map(lambda part: part[i], chunk)
        gradient_of = jax.value_and_grad(_loss, has_aux=True)
        (_, parts), gradient = gradient_of(net, constants, batch, weights[i])
        norm = jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradient)))
        finite = jnp.isfinite(norm)
        updates, new_state = optimiser().update(gradient, state, net)
        new_net = jax.tree.map(lambda p, u: p - rates[i] * u, net, updates)
        net, state = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old), (new_net, new_state), (net, state)
        )
        sums = _add_parts(sums, parts, weights[i], finite)
        watch = jnp.sqrt((gradient.column_bias**2).sum(-1))
        sums["gradient_norm"] += jnp.where(finite, norm, 0.0)
        sums["bad_steps"] += 1.0 - finite
        sums["bad_columns"] += ~jnp.isfinite(watch)
        sums["column_gradient"] = jnp.maximum(sums["column_gradient"], jnp.nan_to_num(watch))
        return net, state, sums

    start = (net, state, _zero_sums(constants["active"].shape[0]))
    return jax.lax.fori_loop(0, n_steps, step, start)


@jax.jit
def validate_chunk(
    net: SpaceNet, constants: Constants, chunk: Batch, weights: Array, n_steps: Array
) -> Sums:
    """Loss parts summed over the first ``n_steps`` batches of a chunk."""

    def step(i: Array, sums: Sums) -> Sums:
        batch = jax.tree.map(lambda part: part[i], chunk)
        parts = loss_parts(net, constants, batch, weights[i])
        return _add_parts(sums, parts, weights[i])

    return jax.lax.fori_loop(0, n_steps, step, _zero_sums(constants["active"].shape[0]))


@jax.jit
def embed_rows(net: SpaceNet, constants: Constants, batch: Batch, hidden: Array) -> Array:
    """Embeddings (B, d) of rows with columns ``hidden`` (B, columns)."""
    return net.embed(constants, net.tokens(constants, batch), hidden)


@jax.jit
def place_points(head: SphereHead, z: Array) -> Array:
    """Places on the sphere (B, 3) of embeddings (B, d)."""
    return head(z)


@jax.jit
def token_rows(net: SpaceNet, constants: Constants, batch: Batch, hidden: Array) -> Array:
    """Tokens (B, columns, width) as the mixing network sees them."""
    shown = jnp.where(hidden[..., None], net.hidden, net.tokens(constants, batch))
    return shown * constants["active"][:, None]
