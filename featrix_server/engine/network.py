"""The network: one token a column, a mixing MLP over them, and heads that predict each column.

All sizes are those of a :class:`~.batches.Shape`. Columns beyond the real ones are multiplied by
zero wherever they could be felt, so a padded network equals an unpadded one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

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

Array: TypeAlias = jax.Array | np.ndarray
"""On the host until a program first takes it."""
Constants: TypeAlias = Mapping[str, Array]
Batch: TypeAlias = Mapping[str, Array]


def normal(rng: np.random.Generator, size: tuple[int, ...], scale: float) -> np.ndarray:
    """Normal numbers, drawn on the host: a program that draws takes seconds to compile."""
    return rng.standard_normal(size, np.float32) * np.float32(scale)


class Dense(eqx.Module):
    """An affine map of the last axis."""

    weight: Array
    bias: Array

    def __call__(self, x: Array) -> Array:
        return x @ self.weight + self.bias

    @staticmethod
    def create(rng: np.random.Generator, n_in: int, n_out: int, fan_in: float) -> Dense:
        """Normal weights of variance ``1 / fan_in`` (the inputs that are not padding)."""
        return Dense(normal(rng, (n_in, n_out), fan_in**-0.5), np.zeros(n_out, np.float32))

    @staticmethod
    def zero(n_in: int, bias: np.ndarray) -> Dense:
        """No weights yet: every input gives ``bias``."""
        return Dense(np.zeros((n_in, len(bias)), np.float32), bias)


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
    code, real = bin_code(constants, numbers, jnp)
    return code, code.sum(-1) / jnp.maximum(real.sum(-1), 1)


def bin_code(constants: Constants, numbers: Array, xp: Any = np) -> tuple[Any, Any]:
    """The code of :func:`quantile_code`, and which bins are there, bool (N, MAX_BINS).

    ``xp`` is NumPy, or ``jax.numpy`` within a program: alone, each of its steps takes longer to
    hand over than to do.
    """
    low, high = constants["edges"][:, :-1], constants["edges"][:, 1:]
    width = high - low
    real = width > 0
    share = (numbers[..., None] - low) / xp.where(real, width, np.float32(1))
    return xp.minimum(xp.maximum(share, 0), 1) * real, real


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
    def create(
        rng: np.random.Generator, shape: Shape, n_columns: int, log_prior: np.ndarray
    ) -> SpaceNet:
        """A fresh network.

        Parameters
        ----------
        rng
            Draws the weights.
        shape, n_columns
            Padded sizes, and columns that are not padding.
        log_prior
            float32 (targets,): predictions start at these base rates.
        """
        width, real_width = shape.columns * TOKEN_WIDTH, n_columns * TOKEN_WIDTH
        n_features = MAX_BINS + 1 + 2 * PERIODS
        wide = HIDDEN_WIDTH
        return SpaceNet(
            number_weight=normal(rng, (shape.numbers, n_features, TOKEN_WIDTH), 0.25),
            frequency=normal(rng, (shape.numbers, PERIODS), 1.0),
            category_table=normal(rng, (shape.targets, TOKEN_WIDTH), 0.7),
            hash_weight=normal(rng, (DENSE_WIDTH, TOKEN_WIDTH), 0.7),
            dense_weight=normal(rng, (shape.dense, DENSE_WIDTH, TOKEN_WIDTH), 0.7),
            column_bias=np.zeros((shape.columns, TOKEN_WIDTH), np.float32),
            missing=normal(rng, (shape.columns, TOKEN_WIDTH), 0.5),
            hidden=normal(rng, (shape.columns, TOKEN_WIDTH), 0.5),
            enter=Dense.create(rng, width, wide, real_width),
            blocks=tuple(
                Block(
                    np.ones(wide, np.float32),
                    np.zeros(wide, np.float32),
                    Dense.create(rng, wide, wide, wide),
                )
                for _ in range(BLOCKS)
            ),
            leave=Dense.create(rng, wide, D_MODEL, wide),
            skip=normal(rng, (width, D_MODEL), real_width**-0.5),
            target=Dense.zero(D_MODEL, log_prior),
            rank=Dense.zero(D_MODEL, np.zeros(shape.numbers, np.float32)),
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
        strange: Array = jnp.zeros(TOKEN_WIDTH)
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
