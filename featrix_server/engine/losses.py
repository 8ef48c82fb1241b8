"""The three parts of the training loss.

``total = JOINT_WEIGHT * joint + MARGINAL_WEIGHT * marginal + SPREAD_WEIGHT * spread``

- joint: two views of a row, hiding complementary columns, must find each other in the batch
  (InfoNCE, van den Oord et al. 2018; chance level ln(batch));
- marginal: each column from the embedding: cross-entropy over its target ids, plus the squared
  error of a number's rank. Counted on the columns each view does not see, and again on every
  column of a nearly full row, which keeps what only one column knows;
- spread: uniformity on the sphere (Wang and Isola 2020); stops collapse.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .batches import Shape
from .network import Array, Batch, Constants, SpaceNet, quantile_code

JOINT_WEIGHT = 1.0
MARGINAL_WEIGHT = 1.0
SPREAD_WEIGHT = 0.1
TEMPERATURE = 0.15
HIDDEN_SHARE = (0.2, 0.8)
FULL_HIDDEN_SHARE = 0.1
HASHED_SHARE = 0.1
"""Share of categories coded by the hash of their text in training, so that unseen ones work."""

MEMBER_CELLS = 1 << 20
"""Targets times columns up to which a product with a matrix sums faster than a scatter."""


def total_loss(joint: float, marginal: float, spread: float) -> float:
    """The exact weighted sum that is reported."""
    return JOINT_WEIGHT * joint + MARGINAL_WEIGHT * marginal + SPREAD_WEIGHT * spread


class Parts(NamedTuple):
    """Loss parts of one batch; column sums cover the columns hidden from their view."""

    joint: Array
    marginal: Array
    spread: Array
    column_loss: Array  # (columns,) summed cross-entropy, nats
    column_count: Array  # (columns,) number of predictions in that sum

    def total(self) -> Array:
        """What is minimised."""
        return (
            JOINT_WEIGHT * self.joint
            + MARGINAL_WEIGHT * self.marginal
            + SPREAD_WEIGHT * self.spread
        )


def joint_loss(a: Array, b: Array, weight: Array) -> Array:
    """Symmetric InfoNCE between rows of ``a`` and ``b`` (B, d); rows of weight 0 do not exist."""
    logits = a @ b.T / TEMPERATURE
    absent = jnp.where(weight > 0, 0.0, -1e9)
    own = jnp.diagonal(logits)
    forth = jax.nn.logsumexp(logits + absent, axis=1) - own
    back = jax.nn.logsumexp(logits + absent[:, None], axis=0) - own
    return (weight * (forth + back)).sum() / (2 * jnp.maximum(weight.sum(), 1.0))


def spread_loss(z: Array, weight: Array) -> Array:
    """Log of the mean Gaussian kernel ``exp(-2 |zi - zj|²)`` over pairs of different rows."""
    pair = weight[:, None] * weight * (1.0 - jnp.eye(len(z)))
    kernel = jnp.exp(4.0 * (z @ z.T - 1.0))
    return jnp.log(((kernel * pair).sum() + 1e-9) / (pair.sum() + 1e-9))


def _sum_by_column(values: Array, constants: Constants) -> Array:
    """Sum (..., targets) over the target ids of each column: (..., columns)."""
    segment, n_columns = constants["segment"], constants["active"].shape[0]
    if len(segment) * n_columns <= MEMBER_CELLS:
        return values @ (segment[:, None] == jnp.arange(n_columns)).astype(values.dtype)
    rows = values.reshape(-1, values.shape[-1]).T
    sums = jax.ops.segment_sum(rows, segment, n_columns)
    return sums.T.reshape(*values.shape[:-1], n_columns)


def column_errors(
    net: SpaceNet, constants: Constants, batch: Batch, z: Array
) -> tuple[Array, Array]:
    """Cross-entropy (V, B, columns) and rank error (V, B, N) of ``z`` (V, B, d) on ``batch``."""
    logits, ranks = net.predict(z)
    log_norm = jnp.log(_sum_by_column(jnp.exp(logits), constants) + 1e-30)
    at = constants["target_offset"] + jnp.maximum(batch["targets"], 0)
    picked = jnp.take_along_axis(logits, jnp.broadcast_to(at, (len(z), *at.shape)), axis=-1)
    # Ranks are uniform on 0..1; scaled to unit variance, guessing the middle costs 1.
    _, rank = quantile_code(constants, jnp.nan_to_num(batch["numbers"]))
    return log_norm - picked, (ranks - (rank - 0.5) * math.sqrt(12.0)) ** 2


def draw_views(
    rng: np.random.Generator, axes: tuple[int, ...], shape: Shape
) -> dict[str, np.ndarray]:
    """Choose what two complementary views and a nearly full row do not show.

    Drawn on the host: programs that draw random numbers compile and run more slowly.

    Parameters
    ----------
    rng
        Draws everything.
    axes
        Leading axes, rows last: ``(B,)`` or ``(steps, B)``.
    shape
        Padded sizes.

    Returns
    -------
    dict
        ``hidden`` and ``hidden_full`` bool (*axes, columns): hidden in the first view (the second
        hides the rest), and in the nearly full row; ``hashed`` bool (*axes, categories): coded by
        the hash of their text, as unseen categories are.
    """
    low, high = HIDDEN_SHARE
    share = low + (high - low) * rng.random((*axes, 1), np.float32)
    columns = (*axes, shape.columns)
    return {
        "hidden": rng.random(columns, np.float32) < share,
        "hidden_full": rng.random(columns, np.float32) < FULL_HIDDEN_SHARE,
        "hashed": rng.random((*axes, shape.categories), np.float32) < HASHED_SHARE,
    }


def loss_parts(net: SpaceNet, constants: Constants, batch: Batch, weight: Array) -> Parts:
    """All parts on one batch.

    Parameters
    ----------
    net, constants
        Network and column constants.
    batch
        Rows ``(B, ...)`` with their views (:func:`draw_views`).
    weight
        (B,) 1 for a row, 0 for padding.
    """
    n_rows, n_columns = batch["targets"].shape
    hidden_a = batch["hidden"]
    hidden = jnp.stack([hidden_a, ~hidden_a, batch["hidden_full"]])

    tokens = net.tokens(constants, batch, batch["hashed"])
    z = net.embed(
        constants,
        jnp.broadcast_to(tokens, (3, *tokens.shape)).reshape(3 * n_rows, *tokens.shape[1:]),
        hidden.reshape(3 * n_rows, n_columns),
    ).reshape(3, n_rows, -1)

    known = (batch["targets"] >= 0) * weight[:, None] * constants["active"]
    counted = jnp.stack([hidden_a * known, ~hidden_a * known, known])
    entropy, rank_error = column_errors(net, constants, batch, z)
    others = ((0, 0), (0, 0), (0, n_columns - rank_error.shape[-1]))
    error = (entropy + jnp.pad(rank_error, others)) * counted
    # The two views hide each column once between them, so they share one mean.
    n_known = jnp.maximum(known.sum(), 1.0)
    return Parts(
        joint=joint_loss(z[0], z[1], weight),
        marginal=(error[0] + error[1]).sum() / n_known + error[2].sum() / n_known,
        spread=spread_loss(z[2], weight),
        column_loss=(entropy * counted)[:2].sum((0, 1)),
        column_count=counted[:2].sum((0, 1)),
    )
