"""The network of a predictor: eight members that share their large matrices.

After TabM (Gorishniy et al., "TabM: advancing tabular deep learning with parameter-efficient
ensembling", 2024): members differ by signs, scales and biases of their own around shared weights,
and by their heads. Ours share the first layer entirely, so its cost does not grow with members;
they part at its output.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..batches import ENCODE_ROWS, MAX_BINS, Layout, Rows, Shape
from ..columns import DENSE_WIDTH
from ..network import CLIP, TOKEN_WIDTH, Array, Batch, Constants, normal, quantile_code
from ..programs import CHUNK, fresh_state, optimiser

MEMBERS = 8
WIDTH = 256
BATCH = 256
DROPOUT = 0.1
FOLDS = 4
"""Networks of small tables, one a fold; large ones have one."""
FEW_ROWS = 4
"""Rows up to which NumPy answers sooner than a compiled program (`host`)."""
_OUTPUTS = (2, 8, 32, 128, 512, 1024)


def output_width(n_classes: int) -> int:
    """Padded outputs: classes, or 2 for numbers (0 classes; only the first counts)."""
    return next(width for width in _OUTPUTS if width >= n_classes)


class PredictorNet(eqx.Module):
    """Rows to logits of classes, or to a standardised number."""

    number_weight: Array  # (N, MAX_BINS + 1, TOKEN_WIDTH)
    category_table: Array  # (targets, TOKEN_WIDTH)
    dense_weight: Array  # (D, DENSE_WIDTH, TOKEN_WIDTH)
    column_bias: Array  # (columns, TOKEN_WIDTH)
    missing: Array  # (columns, TOKEN_WIDTH)
    enter: Array  # (columns * TOKEN_WIDTH, WIDTH)
    enter_scale: Array  # (MEMBERS, WIDTH)
    enter_bias: Array
    sign: Array
    middle: Array  # (WIDTH, WIDTH)
    middle_scale: Array
    middle_bias: Array
    head: Array  # (MEMBERS, WIDTH, outputs)
    head_bias: Array  # (MEMBERS, outputs)

    @staticmethod
    def create(
        rng: np.random.Generator, shape: Shape, n_columns: int, start: np.ndarray
    ) -> PredictorNet:
        """A fresh network whose heads all answer ``start`` (outputs,)."""
        members, width, outputs = MEMBERS, WIDTH, len(start)
        flat, real = shape.columns * TOKEN_WIDTH, n_columns * TOKEN_WIDTH
        return PredictorNet(
            number_weight=normal(rng, (shape.numbers, MAX_BINS + 1, TOKEN_WIDTH), 0.3),
            category_table=normal(rng, (shape.targets, TOKEN_WIDTH), 0.5),
            dense_weight=normal(rng, (shape.dense, DENSE_WIDTH, TOKEN_WIDTH), 0.3),
            column_bias=np.zeros((shape.columns, TOKEN_WIDTH), np.float32),
            missing=normal(rng, (shape.columns, TOKEN_WIDTH), 0.5),
            enter=normal(rng, (flat, width), real**-0.5),
            enter_scale=1 + normal(rng, (members, width), 0.3),
            enter_bias=normal(rng, (members, width), 0.1),
            sign=rng.choice(np.array([-1, 1], np.float32), (members, width)),
            middle=normal(rng, (width, width), width**-0.5),
            middle_scale=np.ones((members, width), np.float32),
            middle_bias=np.zeros((members, width), np.float32),
            head=normal(rng, (members, width, outputs), width**-0.5),
            head_bias=np.tile(start.astype(np.float32), (members, 1)),
        )  # fmt: skip

    def __call__(self, constants: Constants, batch: Batch, kept: Array | None = None) -> Array:
        """Logits (B, MEMBERS, outputs).

        Parameters
        ----------
        constants, batch
            Of a :class:`~..batches.Layout` and its :class:`~..batches.Rows`.
        kept
            bool (B, 2, WIDTH), hidden units that are not dropped. Each member takes the mask of
            another row, so members drop different units.
        """
        tokens = self._tokens(constants, batch) * constants["active"][:, None]
        x = tokens.reshape(len(tokens), 1, -1) @ self.enter
        x = jax.nn.silu(x * self.enter_scale + self.enter_bias)
        x = _drop(x, kept, 0) * self.sign
        x = jax.nn.silu((x @ self.middle) * self.middle_scale + self.middle_bias)
        x = _drop(x, kept, 1)
        return jnp.einsum("bkw,kwo->bko", x, self.head) + self.head_bias

    def _tokens(self, constants: Constants, batch: Batch) -> Array:
        numbers = jnp.nan_to_num(batch["numbers"])
        code, _ = quantile_code(constants, numbers)
        level = jnp.clip((numbers - constants["mean"]) / constants["std"], -CLIP, CLIP)
        features = jnp.concatenate([code, level[..., None]], -1)
        n = numbers.shape[1]
        bend = jnp.einsum("bnf,nft->bnt", features, self.number_weight) + self.column_bias[:n]
        ids = jnp.maximum(batch["categories"], 0)
        unseen = ids >= constants["category_count"]
        looked_up = self.category_table[constants["category_offset"] + jnp.where(unseen, 0, ids)]
        categories = jnp.where(unseen[..., None], 0.0, looked_up)
        dense = jnp.einsum("bdk,dkt->bdt", batch["dense"].astype(jnp.float32), self.dense_weight)
        others = jnp.concatenate([categories, dense], axis=1) + self.column_bias[n:]
        values = jnp.concatenate([jax.nn.relu(bend), others], axis=1)
        absent = jnp.concatenate(
            [jnp.isnan(batch["numbers"]), batch["categories"] < 0, batch["dense_missing"]], axis=1
        )
        return jnp.where(absent[..., None], self.missing, values)


def _drop(x: Array, kept: Array | None, layer: int) -> Array:
    if kept is None:
        return x
    mask = kept[:, layer]
    step = max(1, len(mask) // MEMBERS)
    masks = jnp.stack([jnp.roll(mask, i * step, axis=0) for i in range(MEMBERS)], axis=1)
    return x * masks / (1 - DROPOUT)


def draw_kept(rng: np.random.Generator) -> np.ndarray:
    """Masks of hidden units for a chunk, bool (CHUNK, BATCH, 2, WIDTH)."""
    return rng.integers(256, size=(CHUNK, BATCH, 2, WIDTH), dtype=np.uint8) >= round(256 * DROPOUT)


def _losses(logits: Array, target: Array, real: Array, numeric: Array) -> Array:
    """Cross-entropy or squared error (B, MEMBERS); ``real`` (outputs,) are no padding."""
    logits = jnp.where(real, logits, -1e9)
    target = target[:, None]
    picked = jnp.take_along_axis(logits, target[..., None].astype(jnp.int32), axis=-1)[..., 0]
    entropy = jax.nn.logsumexp(logits, axis=-1) - picked
    return jnp.where(numeric, jnp.square(logits[..., 0] - target), entropy)


@partial(jax.jit, donate_argnames=("net", "state"))
def train_chunk(
    net: PredictorNet,
    state: optax.OptState,
    constants: Constants,
    chunk: Batch,
    targets: Array,
    kept: Array,
    rates: Array,
    n_steps: Array,
    real: Array,
    numeric: Array,
) -> tuple[PredictorNet, optax.OptState, dict[str, Array]]:
    """Take ``n_steps`` optimiser steps on the first batches of a chunk.

    Parameters
    ----------
    chunk, targets, kept
        ``(CHUNK, BATCH, ...)``: rows, class ids or standardised numbers, masks of hidden units.
    rates
        (CHUNK,) learning rates.
    real, numeric
        Which outputs are no padding; whether the target is a number.

    Returns
    -------
    net, state, sums
        ``loss`` and ``gradient_norm`` summed over the steps, and ``steps`` that were finite (the
        others changed nothing).
    """

    def loss_of(net: PredictorNet, i: Array) -> Array:
        batch = jax.tree.map(lambda part: part[i], chunk)
        return _losses(net(constants, batch, kept[i]), targets[i], real, numeric).mean()

    def step(i: Array, carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        net, state, sums = carry
        loss, gradient = jax.value_and_grad(loss_of)(net, i)
        norm = jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradient)))
        finite = jnp.isfinite(norm)
        updates, new_state = optimiser().update(gradient, state, net)
        new_net = jax.tree.map(lambda p, u: p - rates[i] * u, net, updates)
        net, state = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old), (new_net, new_state), (net, state)
        )
        found = {"loss": loss, "gradient_norm": norm, "steps": jnp.ones(())}
        sums = {name: sums[name] + jnp.where(finite, found[name], 0.0) for name in sums}
        return net, state, sums

    zeros = {name: jnp.zeros(()) for name in ("loss", "gradient_norm", "steps")}
    return jax.lax.fori_loop(0, n_steps, step, (net, state, zeros))


@jax.jit
def answer_rows(
    nets: PredictorNet, constants: Constants, batch: Batch, real: Array, numeric: Array
) -> Array:
    """Mean answer of all members of stacked networks: probabilities, or numbers (B, outputs)."""
    logits = jax.vmap(lambda net: net(constants, batch))(nets)
    chances = jax.nn.softmax(jnp.where(real, logits, -1e9), axis=-1)
    return jnp.where(numeric, logits, chances).mean(axis=(0, 2))


def fresh(
    seed: int, fold: int, shape: Shape, n_columns: int, start: np.ndarray
) -> tuple[PredictorNet, optax.OptState]:
    """A network before its first step, and its optimiser."""
    net = PredictorNet.create(np.random.default_rng([seed, 21, fold]), shape, n_columns, start)
    return net, fresh_state(net)  # type: ignore[arg-type]  # takes any tree of arrays


def stack(nets: list[PredictorNet]) -> PredictorNet:
    """Several networks as one tree with a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *nets)


def warm(shape: Shape, n_classes: int) -> None:
    """Compile the programs of a shape by running them on nothing, for zero steps."""
    start = np.zeros(output_width(n_classes), np.float32)
    constants = Layout((), shape).constants()
    net, state = fresh(0, 0, shape, shape.columns, start)
    real, numeric = start == 0, np.bool_(False)
    for folds in (1, FOLDS):
        for n in (one for one in ENCODE_ROWS if one > FEW_ROWS):
            rows = Rows.empty(shape, n).arrays()
            answer_rows(stack([net] * folds), constants, rows, real, numeric)
    train_chunk(
        net, state, constants, Rows.empty(shape, CHUNK, BATCH).arrays(),
        np.zeros((CHUNK, BATCH), np.float32), draw_kept(np.random.default_rng(0)),
        np.zeros(CHUNK, np.float32), np.int32(0), real, numeric,
    )  # fmt: skip
