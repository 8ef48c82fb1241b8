"""A trained embedding: records in, unit vectors and places on the sphere out."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from . import programs
from .batches import ENCODE_ROWS, Layout, Rows
from .checkpoint import load_tree
from .columns import encoder_from_dict, encoder_to_dict
from .errors import CheckpointError
from .files import write_json
from .network import D_MODEL, SpaceNet
from .schema import Schema
from .sphere import SphereHead, fresh_graph_state


def embed(
    net: SpaceNet, constants: dict[str, Any], rows: Rows, hidden: np.ndarray | None = None
) -> np.ndarray:
    """Embed rows, padded or split to the sizes that are compiled.

    Parameters
    ----------
    net, constants
        The network and the column constants.
    rows
        Encoded with their unseen vectors.
    hidden
        bool (n, columns): columns to be treated as unknown; none by default.

    Returns
    -------
    float32 (n, D_MODEL), rows of length one
    """
    z = np.empty((len(rows), D_MODEL), np.float32)
    for start, stop, part, mask in padded(rows, hidden):
        result = programs.embed_rows(net, constants, part.arrays(), mask)
        z[start:stop] = np.asarray(result)[: stop - start]
    return z


def points(head: SphereHead, z: np.ndarray) -> np.ndarray:
    """Places on the sphere, float32 (n, 3), of embeddings (n, D_MODEL)."""
    xyz = np.empty((len(z), 3), np.float32)
    for start, stop, size in _spans(len(z)):
        part = np.zeros((size, D_MODEL), np.float32)
        part[: stop - start] = z[start:stop]
        xyz[start:stop] = np.asarray(programs.place_points(head, part))[: stop - start]
    return xyz


def _spans(n: int) -> Iterator[tuple[int, int, int]]:
    """Cut ``n`` rows to compiled sizes: first row, last row + 1, size to be padded to."""
    size = next((size for size in ENCODE_ROWS if size >= n), ENCODE_ROWS[-1])
    for start in range(0, n, size):
        yield start, min(start + size, n), size


def padded(
    rows: Rows, hidden: np.ndarray | None = None
) -> Iterator[tuple[int, int, Rows, np.ndarray]]:
    """Cut rows to compiled sizes: first row, last row + 1, the padded rows, what is hidden."""
    for start, stop, size in _spans(len(rows)):
        mask = np.zeros((size, rows.targets.shape[1]), bool)
        if hidden is not None:
            mask[: stop - start] = hidden[start:stop]
        whole = len(rows) == size
        part = rows if whole else rows.take(np.arange(start, stop)).pad(size)
        yield start, stop, part, mask


def save_columns(folder: Path, schema: Schema, layout: Layout) -> None:
    """Write what a model must know about its columns: ``schema.json`` and ``encoders.json``."""
    write_json(folder / "schema.json", schema.to_dict())
    write_json(folder / "encoders.json", [encoder_to_dict(one) for one in layout.encoders])


def load_columns(folder: Path) -> tuple[Schema, Layout]:
    """Read back :func:`save_columns`.

    Raises
    ------
    CheckpointError
        If either file is missing or damaged.
    """
    try:
        schema = Schema.from_dict(json.loads((folder / "schema.json").read_text()))
        encoders = json.loads((folder / "encoders.json").read_text())
        return schema, Layout([encoder_from_dict(one) for one in encoders])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"the columns of the model in {folder} are damaged: {error}"
        ) from error


def fresh_space(layout: Layout, log_prior: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """An untrained network and optimiser, and a head that knows no components yet.

    Also the template that checkpoints are checked against.
    """
    rng = np.random.default_rng([seed, 4])
    net = SpaceNet.create(rng, layout.shape, len(layout.encoders), log_prior)
    basis = np.zeros((D_MODEL, 3), np.float32), np.zeros(D_MODEL, np.float32)
    head = SphereHead.create(rng, *basis)
    return {
        "net": net,
        "opt": programs.fresh_state(net),
        "head": head,
        "head_opt": fresh_graph_state(head),
    }


def load_space(path: Path, layout: Layout, *parts: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read parts of a space (all by default) from a checkpoint, onto the device; and its header.

    Raises
    ------
    CheckpointError
        If it is missing, damaged or of another model.
    """
    template = fresh_space(layout, np.zeros(layout.shape.targets, np.float32))
    wanted = {name: template[name] for name in parts or template}
    tree, header = load_tree(path, wanted)
    return jax.device_put(tree), header


class EmbeddingModel:
    """A trained embedding space.

    Attributes
    ----------
    d_model : int
        Width of the full embedding.
    schema : Schema
        Columns and exclusions.
    encoders : tuple
        Fitted encoders of the columns, in table order.
    layout : Layout
        Where each column stands in the arrays.
    batch_sizes : tuple of int
        Numbers of rows that programs are compiled for; others are padded up or split.
    header : dict
        What the checkpoint says about itself (``epoch``, ...).
    """

    d_model = D_MODEL
    batch_sizes = ENCODE_ROWS

    def __init__(
        self,
        schema: Schema,
        layout: Layout,
        net: SpaceNet,
        head: SphereHead,
        header: dict[str, Any] | None = None,
    ) -> None:
        self.schema = schema
        self.layout = layout
        self.encoders = layout.encoders
        self.header = header or {}
        self.net, self.head = net, head
        # On the device once, so that a single query copies nothing but its row.
        self.constants = jax.device_put(layout.constants())

    @classmethod
    def load(cls, folder: Path, checkpoint: str | None = None) -> EmbeddingModel:
        """Load a model.

        Parameters
        ----------
        folder
            A folder that ``pretrain`` has written.
        checkpoint
            ``"best"``, ``"last"`` or ``"epoch_010"``; None: the finished model, or the best
            epoch so far while training runs.

        Raises
        ------
        CheckpointError
            If there is no such checkpoint, or it is damaged.
        """
        schema, layout = load_columns(folder)
        path = folder / "model.safetensors"
        if checkpoint is not None or not path.exists():
            path = folder / "checkpoints" / f"{checkpoint or 'best'}.safetensors"
        tree, header = load_space(path, layout, "net", "head")
        return cls(schema, layout, tree["net"], tree["head"], header)

    def rows(self, records: Sequence[dict[str, Any]]) -> Rows:
        """Encode records to arrays; columns the model does not have are ignored."""
        return self.layout.encode(
            lambda name: [record.get(name) for record in records], len(records), unseen=True
        )

    def hidden(self, records: Sequence[dict[str, Any]], names: Collection[str] = ()) -> np.ndarray:
        """bool (n, columns): columns named, or that a record does not have at all."""
        mask = np.zeros((len(records), self.layout.shape.columns), bool)
        for name, at in self.layout.position.items():
            mask[:, at] = name in names or [name not in record for record in records]
        return mask

    def encode(
        self, records: Sequence[dict[str, Any]], hidden: Collection[str] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Embed records.

        Parameters
        ----------
        records
            One dict a row. A column that is None or NaN is missing; one that is absent, or named
            in ``hidden``, is unknown. Other keys are ignored.
        hidden
            Columns to be treated as unknown in every record.

        Returns
        -------
        float32 (n, d_model) and float32 (n, 3), rows of length one, in the order given
        """
        rows, mask = self.rows(records), self.hidden(records, hidden)
        return self.place(rows, mask)

    def place(self, rows: Rows, hidden: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Embed encoded rows: (n, d_model) and (n, 3)."""
        z = embed(self.net, self.constants, rows, hidden)
        return z, points(self.head, z)

    def tokens(self, rows: Rows, hidden: np.ndarray | None = None) -> np.ndarray:
        """float32 (n, columns, TOKEN_WIDTH): each column's token, at ``layout.position[name]``."""
        parts = [
            np.asarray(programs.token_rows(self.net, self.constants, part.arrays(), mask))[
                : stop - start
            ]
            for start, stop, part, mask in padded(rows, hidden)
        ]
        return np.concatenate(parts)
