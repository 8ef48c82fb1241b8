"""The movie: stored frames, which epochs get one, and turning one onto another."""

from __future__ import annotations

import numpy as np
import pytest

from featrix_server.engine.frames import FrameStore, frame_epochs, turn_onto


def sphere_points(n: int, seed: int = 0) -> np.ndarray:
    xyz = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    return xyz / np.linalg.norm(xyz, axis=1, keepdims=True)


def test_frames_come_back_as_they_were(tmp_path):
    store = FrameStore(tmp_path)
    store.begin([5, 3, 9])
    for epoch in (0, 1, 4):
        store.append(epoch, sphere_points(3, epoch))
    again = FrameStore(tmp_path)
    assert (again.n_points, again.row_ids, again.epochs) == (3, [5, 3, 9], [0, 1, 4])
    assert again.read().shape == (3, 3, 3)
    np.testing.assert_array_equal(again.read(1, 2)[0], sphere_points(3, 1))
    np.testing.assert_array_equal(again.read(2), again.read()[2:])
    assert again.read(7).shape == (0, 3, 3)


def test_frames_of_an_unfinished_epoch_are_forgotten(tmp_path):
    store = FrameStore(tmp_path)
    store.begin([0, 1])
    for epoch in range(4):
        store.append(epoch, sphere_points(2, epoch))
    store.truncate(1)
    store.append(2, sphere_points(2, 77))
    again = FrameStore(tmp_path)
    assert again.epochs == [0, 1, 2]
    np.testing.assert_array_equal(again.read()[2], sphere_points(2, 77))


def test_a_crash_between_frame_and_index_loses_only_that_frame(tmp_path):
    store = FrameStore(tmp_path)
    store.begin([0, 1])
    store.append(0, sphere_points(2))
    with (tmp_path / "frames.bin").open("ab") as file:
        file.write(b"half a frame")
    again = FrameStore(tmp_path)
    again.append(1, sphere_points(2, 1))
    np.testing.assert_array_equal(again.read()[1], sphere_points(2, 1))


@pytest.mark.parametrize(
    ("epoch", "frame", "match"),
    [
        (1, np.full((2, 3), np.nan), "not finite"),
        (1, np.zeros((3, 3)), "a frame is"),
        (0, np.zeros((2, 3)), "does not follow"),
    ],
)
def test_a_wrong_frame_is_refused(tmp_path, epoch, frame, match):
    store = FrameStore(tmp_path)
    store.begin([0, 1])
    store.append(0, sphere_points(2))
    with pytest.raises(ValueError, match=match):
        store.append(epoch, frame)
    assert FrameStore(tmp_path).epochs == [0]


def test_long_trainings_get_frames_dense_early_and_even_later():
    assert frame_epochs(50, 200) == set(range(51))
    chosen = sorted(frame_epochs(5_000, 200))
    assert len(chosen) <= 200
    assert chosen[:4] == [0, 1, 2, 3]
    assert chosen[-1] == 5_000
    assert max(np.diff(chosen)) < 60


def test_turning_finds_a_rotation_and_never_reflects():
    points = sphere_points(50)
    spin, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    spin *= np.sign(np.linalg.det(spin))
    np.testing.assert_allclose(points @ turn_onto(points, points @ spin), points @ spin, atol=1e-5)
    mirrored = points * [1, 1, -1]
    assert np.linalg.det(turn_onto(points, mirrored)) == pytest.approx(1.0)
