"""Stable hashed n-grams of texts, vectorised over all bytes of all texts at once.

Python's own `hash` differs from process to process, so everything here is plain arithmetic
on the UTF-8 bytes: the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import sparse

from featrix_server.engine.columns.base import DENSE_WIDTH

N_BUCKETS = 4096
"""Buckets that n-grams and tokens are hashed into."""

_PRIME = np.uint64(0x100000001B3)


def mix(values: np.ndarray) -> np.ndarray:
    """Scramble uint64 values; the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    values = values.astype(np.uint64, copy=True)
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


@cache
def sign_table() -> np.ndarray:
    """Return one fixed pseudo-random sign vector a bucket, float32 (N_BUCKETS, DENSE_WIDTH)."""
    cells = np.arange(1, N_BUCKETS * DENSE_WIDTH + 1, dtype=np.uint64)
    signs = (mix(cells * np.uint64(0x9E3779B97F4A7C15)) & np.uint64(1)).astype(np.float32)
    return (signs * 2 - 1).reshape(N_BUCKETS, DENSE_WIDTH)


def char_ngrams(texts: Sequence[str], sizes: Sequence[int] = (1, 2, 3)) -> sparse.csr_matrix:
    """Count hashed character n-grams, blanks marking both ends of a text.

    Returns
    -------
    float32 sparse (n, N_BUCKETS)
    """
    return _counts(len(texts), [_char_hashes(*_joined(texts), size) for size in sizes])


def words_and_ngrams(texts: Sequence[str], sizes: Sequence[int] = (3, 4)) -> sparse.csr_matrix:
    """Count hashed words (runs between blanks and punctuation) and character n-grams.

    Returns
    -------
    float32 sparse (n, N_BUCKETS)
    """
    data, row = _joined(texts)
    parts = [_word_hashes(data, row), *(_char_hashes(data, row, size) for size in sizes)]
    return _counts(len(texts), parts)


def token_hashes(tokens: Sequence[str]) -> np.ndarray:
    """Return the bucket of each whole token, int64 (n,)."""
    data, row = _joined(tokens)
    if not len(tokens):
        return np.zeros(0, dtype=np.int64)
    starts = np.searchsorted(row, np.arange(len(tokens)))
    return _bucket(_run_hashes(data, starts))


def hashed_tokens(tokens: Sequence[str], width: int) -> np.ndarray:
    """Return one pseudo-random sign vector a distinct token, float32 (n, width)."""
    return sign_table()[token_hashes(tokens), :width]


def text_vectors(texts: Sequence[str]) -> np.ndarray:
    """Return what texts look like: float32 (n, DENSE_WIDTH), each row of norm sqrt(width).

    Texts that share character n-grams get vectors that point alike.
    """
    counts = char_ngrams(texts)
    vectors: np.ndarray = np.asarray(counts @ sign_table(), dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors *= (np.sqrt(DENSE_WIDTH) / np.maximum(norms, 1e-6)).astype(np.float32)
    return vectors


def _joined(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of all texts, lower case, each between blanks, and the text of each."""
    encoded = [f" {text} ".lower().encode("utf-8", "replace") for text in texts]
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    return data, np.repeat(np.arange(len(encoded)), lengths)


def _char_hashes(data: np.ndarray, row: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    n = len(data) - size + 1
    if n <= 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    hashed: np.ndarray = np.full(n, size, dtype=np.uint64)
    for shift in range(size):
        hashed = hashed * _PRIME + data[shift : shift + n]
    inside = row[:n] == row[size - 1 :]
    return row[:n][inside], _bucket(hashed[inside])


def _word_hashes(data: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    letter = _IS_LETTER[data]
    previous = np.append(False, letter[:-1])
    starts = np.flatnonzero(letter & ~previous)  # each text starts with a blank
    if not len(starts):
        return starts, starts
    run = np.where(letter, data, np.uint8(0))  # blanks after a word add nothing to its hash
    return row[starts], _bucket(_run_hashes(run, starts))


def _run_hashes(data: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Hash each run of bytes that begins at `starts`: a sum of (byte, place) scrambled."""
    data, starts = data[starts[0] :], starts - starts[0]
    place = np.arange(len(data)) - np.repeat(starts, np.diff(np.append(starts, len(data))))
    cells = place.astype(np.uint64) * np.uint64(256) + data
    scrambled = np.where(data > 0, mix(cells + np.uint64(1)), np.uint64(0))
    return np.add.reduceat(scrambled, starts)


def _bucket(hashed: np.ndarray) -> np.ndarray:
    return (mix(hashed) % np.uint64(N_BUCKETS)).astype(np.int64)


def _counts(n: int, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> sparse.csr_matrix:
    rows = np.concatenate([rows for rows, _ in parts])
    buckets = np.concatenate([buckets for _, buckets in parts])
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.coo_matrix((ones, (rows, buckets)), shape=(n, N_BUCKETS)).tocsr()


_IS_LETTER = np.array(
    [byte >= 128 or chr(byte).isalnum() for byte in range(256)]
)  # bytes from 128 belong to letters beyond ASCII
