"""The network: one token a column, a mixing MLP over them, and heads that predict each column.

All sizes are those of a :class:`~.batches.Shape`. Columns beyond the real ones are multiplied by
zero wherever they could be felt, so a padded network equals an unpadded one.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from .batches import MAX_BINS, Shape
from .columns import DENSE_WIDTH

D_MODEL = 256
TOKEN_WIDTH = 16
HIDDEN_WIDTH = 256
BLOCKS = 3
PERIODS = 8
CLIP = 4.0
"""Standard deviations beyond which a number's linear path is flat."""
LOGIT_CAP = 20.0
"""Logits are squashed smoothly into this range, so that exponentials need no per-column maximum."""

Constants = dict[str, Array]
Batch = dict[str, Array]


class Dense(eqx.Module):
    """An affine map of the last axis."""

    weight: Array
    bias: Array

    def __call__(self, x: Array) -> Array:
        return x @ self.weight + self.bias

    @staticmethod
    def create(key: Array, n_in: int, n_out: int, fan_in: Array | int) -> Dense:
        """Normal weights of variance ``1 / fan_in`` (the inputs that are not padding)."""
        weight = jax.random.normal(key, (n_in, n_out)) / jnp.sqrt(fan_in)
        return Dense(weight, jnp.zeros(n_out))


class Block(eqx.Module):
    """``x + GELU(affine(LayerNorm(x)))``."""

    scale: Array
    shift: Array
    affine: Dense

    def __call__(self, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        normed = centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return x + jax.nn.gelu(self.affine(normed * self.scale + self.shift))


def unit(x: Array) -> Array:
    """``x`` scaled to length one along its last axis."""
    return x * jax.lax.rsqrt((x**2).sum(-1, keepdims=True) + 1e-12)


def quantile_code(constants: Constants, numbers: Array) -> tuple[Array, Array]:
    """Piecewise-linear code of numbers on their quantile bins, and their rank.

    Gorishniy et al., "On embeddings for numerical features" (2022), section 3.1: a bin below the
    value codes 1, above it 0, the value's own bin the share passed.

    Returns
    -------
    code : (..., N, MAX_BINS)
    rank : (..., N)
        The code's mean over the column's bins, 0..1: the empirical distribution function.
    """
    low, high = constants["edges"][:, :-1], constants["edges"][:, 1:]
    width = high - low
    real = width > 0
    code = jnp.clip((numbers[..., None] - low) / jnp.where(real, width, 1.0), 0.0, 1.0) * real
    return code, code.sum(-1) / jnp.maximum(real.sum(-1), 1)


class SpaceNet(eqx.Module):
    """Rows to unit vectors, and unit vectors to predictions of the columns."""

    number_weight: Array  # (N, MAX_BINS + 1 + 2 PERIODS, TOKEN_WIDTH)
    frequency: Array  # (N, PERIODS)
    category_table: Array  # (targets, TOKEN_WIDTH)
    hash_weight: Array  # (DENSE_WIDTH, TOKEN_WIDTH)
    dense_weight: Array  # (D, DENSE_WIDTH, TOKEN_WIDTH)
    column_bias: Array  # (columns, TOKEN_WIDTH)
    missing: Array  # (columns, TOKEN_WIDTH)
    hidden: Array  # (columns, TOKEN_WIDTH)
    enter: Dense
    blocks: tuple[Block, ...]
    leave: Dense
    skip: Array  # (columns * TOKEN_WIDTH, D_MODEL)
    target: Dense  # D_MODEL -> targets
    rank: Dense  # D_MODEL -> N

    @staticmethod
    def create(key: Array, shape: Shape, constants: Constants, log_prior: Array) -> SpaceNet:
        """A fresh network; ``log_prior`` (targets,) starts the predictions at the base rates."""
        keys = iter(jax.random.split(key, 16))
        width = shape.columns * TOKEN_WIDTH
        real_width = constants["active"].sum() * TOKEN_WIDTH

        def vectors(*size: int, scale: float) -> Array:
            return scale * jax.random.normal(next(keys), size)

        n_features = MAX_BINS + 1 + 2 * PERIODS
        return SpaceNet(
            number_weight=vectors(shape.numbers, n_features, TOKEN_WIDTH, scale=0.25),
            frequency=vectors(shape.numbers, PERIODS, scale=1.0),
            category_table=vectors(shape.targets, TOKEN_WIDTH, scale=0.7),
            hash_weight=vectors(DENSE_WIDTH, TOKEN_WIDTH, scale=0.7),
            dense_weight=vectors(shape.dense, DENSE_WIDTH, TOKEN_WIDTH, scale=0.7),
            column_bias=jnp.zeros((shape.columns, TOKEN_WIDTH)),
            missing=vectors(shape.columns, TOKEN_WIDTH, scale=0.5),
            hidden=vectors(shape.columns, TOKEN_WIDTH, scale=0.5),
            enter=Dense.create(next(keys), width, HIDDEN_WIDTH, real_width),
            blocks=tuple(
                Block(
                    jnp.ones(HIDDEN_WIDTH),
                    jnp.zeros(HIDDEN_WIDTH),
                    Dense.create(next(keys), HIDDEN_WIDTH, HIDDEN_WIDTH, HIDDEN_WIDTH),
                )
                for _ in range(BLOCKS)
            ),
            leave=Dense.create(next(keys), HIDDEN_WIDTH, D_MODEL, HIDDEN_WIDTH),
            skip=jax.random.normal(next(keys), (width, D_MODEL)) / jnp.sqrt(real_width),
            target=Dense(jnp.zeros((D_MODEL, shape.targets)), log_prior),
            rank=Dense(jnp.zeros((D_MODEL, shape.numbers)), jnp.zeros(shape.numbers)),
        )

    def tokens(self, constants: Constants, batch: Batch, hashed: Array | None = None) -> Array:
        """Token of each column of each row, before any hiding.

        Parameters
        ----------
        constants, batch
            Of a :class:`~.batches.Layout` and its :class:`~.batches.Rows`, batch ``(B, ...)``.
        hashed
            (B, C) bool: categories to be coded by the hash of their text, as unseen ones are.

        Returns
        -------
        (B, columns, TOKEN_WIDTH)
        """
        values = jnp.concatenate(
            [
                self._number_tokens(constants, batch["numbers"]),
                self._category_tokens(constants, batch, hashed),
                jnp.einsum("bdk,dkt->bdt", batch["dense"].astype(jnp.float32), self.dense_weight),
            ],
            axis=1,
        )
        absent = jnp.concatenate(
            [jnp.isnan(batch["numbers"]), batch["categories"] < 0, batch["dense_missing"]], axis=1
        )
        return jnp.where(absent[..., None], self.missing, values + self.column_bias)

    def _number_tokens(self, constants: Constants, numbers: Array) -> Array:
        numbers = jnp.nan_to_num(numbers)
        code, _ = quantile_code(constants, numbers)
        level = jnp.clip((numbers - constants["mean"]) / constants["std"], -CLIP, CLIP)
        angle = 2 * math.pi * level[..., None] * self.frequency
        features = jnp.concatenate([code, level[..., None], jnp.sin(angle), jnp.cos(angle)], -1)
        return jnp.einsum("bnf,nft->bnt", features, self.number_weight)

    def _category_tokens(self, constants: Constants, batch: Batch, hashed: Array | None) -> Array:
        # Learned vectors and hash vectors stand in one table, so that one look-up serves both.
        table = jnp.concatenate(
            [self.category_table, constants["category_vectors"] @ self.hash_weight]
        )
        ids = jnp.maximum(batch["categories"], 0)
        unseen = ids >= constants["category_count"]
        at = constants["category_offset"] + jnp.where(unseen, 0, ids)
        if hashed is not None:
            at = at + hashed * len(self.category_table)
        strange = jnp.zeros(TOKEN_WIDTH)
        if "unseen" in batch:
            strange = batch["unseen"].astype(jnp.float32) @ self.hash_weight
        return jnp.where(unseen[..., None], strange, table[at])

    def embed(self, constants: Constants, tokens: Array, hidden: Array) -> Array:
        """Unit vectors (B, D_MODEL) of rows with columns ``hidden`` (B, columns) bool."""
        shown = jnp.where(hidden[..., None], self.hidden, tokens) * constants["active"][:, None]
        flat = shown.reshape(len(shown), -1)
        x = self.enter(flat)
        for block in self.blocks:
            x = block(x)
        return unit(self.leave(x) + flat @ self.skip)

    def predict(self, z: Array) -> tuple[Array, Array]:
        """Target logits (B, targets) and ranks of unit variance (B, N) from embeddings."""
        z = z * math.sqrt(D_MODEL)
        return LOGIT_CAP * jnp.tanh(self.target(z) / LOGIT_CAP), self.rank(z)
