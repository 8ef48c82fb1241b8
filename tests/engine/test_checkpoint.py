"""Checkpoints: exact round trip, and a clear error for anything else."""

from __future__ import annotations

import numpy as np
import pytest

from featrix_server.engine import CheckpointError
from featrix_server.engine.checkpoint import load_header, load_tree, save_tree
from featrix_server.engine.files import write_atomically

TREE = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": (np.int32(4), np.ones(2))}


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "deep" / "one.safetensors"
    save_tree(path, TREE, {"epoch": 3})
    assert load_header(path) == {"epoch": 3}
    tree, header = load_tree(path, TREE)
    assert header == {"epoch": 3}
    np.testing.assert_array_equal(tree["a"], TREE["a"])
    np.testing.assert_array_equal(tree["b"][1], TREE["b"][1])
    part, _ = load_tree(path, {"a": TREE["a"]})
    assert set(part) == {"a"}


@pytest.mark.parametrize(
    ("template", "match"),
    [
        ({"a": np.zeros((3, 2), np.float32)}, r"float32\[2, 3\], wanted float32\[3, 2\]"),
        ({"a": np.zeros((2, 3), np.float64)}, "wanted float64"),
        ({"c": np.zeros(1)}, "has no array"),
    ],
)
def test_another_model_is_refused(tmp_path, template, match):
    path = tmp_path / "one.safetensors"
    save_tree(path, TREE, {})
    with pytest.raises(CheckpointError, match=match):
        load_tree(path, template)


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "one.safetensors"
    save_tree(path, TREE, {})
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-3] ^= 0xFF
    for content in (whole[:-5], whole[:20], b"", b"nonsense" * 9, bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged"):
            load_tree(path, TREE)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_tree(tmp_path / "none.safetensors", TREE)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text")  # type: ignore[arg-type]  # the fault under test
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
