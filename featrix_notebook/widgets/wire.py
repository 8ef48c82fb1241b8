"""Binary frames between kernel and page.

A frame is a small JSON message ``{v, kind, seq, id?, parts: [{name, dtype, shape, n, codec}]}`` and
one little-endian buffer a part. ``js/src/shared/wire.ts`` is the other end.

Live data travels as ``append`` frames whose ``seq`` rises by one. A page that opens late or misses
one sends ``resync`` and is answered with a ``state`` frame that holds everything up to its ``seq``.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = 1

Codec = Literal["raw", "deflate", "q16"]
Message = dict[str, Any]

# What an array may be on the wire, and what it is narrowed to when the caller does not choose.
_WIRE = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "u4": "<u4", "i2": "<i2", "u2": "<u2", "u1": "|u1"}
_NARROW = {
    "f8": "f4", "f4": "f4", "f2": "f4",
    "i8": "i4", "i4": "i4", "i2": "i2", "i1": "i2",
    "u8": "u4", "u4": "u4", "u2": "u2", "u1": "u1", "b1": "u1",
}  # fmt: skip


class WireError(ValueError):
    """An array that cannot be sent: of no numeric type, or out of the range of its wire type."""


def narrow(name: str, values: ArrayLike, dtype: str | None = None) -> NDArray[Any]:
    """Bring an array to a wire type, refusing what would not survive it.

    Parameters
    ----------
    name
        Used in the error message.
    values
        Numbers of any shape. NaN and infinities are kept in float arrays.
    dtype
        One of ``f4 f8 i4 u4 i2 u2 u1``; by default 64-bit numbers become 32-bit ones.

    Returns
    -------
    numpy.ndarray
        Contiguous and little-endian. Not a copy when the input already was so.

    Raises
    ------
    WireError
        For text, objects, complex numbers and dates, and for values out of range.
    """
    array = np.asarray(values)
    kind = array.dtype.str[1:]
    target = dtype or _NARROW.get(kind)
    if kind not in _NARROW or target not in _WIRE:
        raise WireError(
            f"{name!r} holds {array.dtype} values; a widget can be sent numbers "
            f"({', '.join(_WIRE)}). Convert it first, for example with .astype('float32')."
        )
    wire = np.dtype(_WIRE[target])
    if array.size and array.dtype != wire:
        _check_range(name, array, wire)
    return np.ascontiguousarray(array, dtype=wire)


def _check_range(name: str, array: NDArray[Any], wire: np.dtype[Any]) -> None:
    if wire.kind == "f":
        finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        limit = float(np.finfo(wire).max)
        outside = finite.size and float(np.abs(finite).max()) > limit
        low, high = -limit, limit
    else:
        if array.dtype.kind == "f" and not np.all(array == np.trunc(array)):
            raise WireError(f"{name!r} holds fractions or NaN and cannot be sent as {wire}.")
        info = np.iinfo(wire)
        low, high = int(info.min), int(info.max)
        outside = array.min() < low or array.max() > high
    if outside:
        raise WireError(f"{name!r} has values outside {low:g}..{high:g}, the range of {wire}.")


def quantise(values: NDArray[Any]) -> tuple[NDArray[np.uint16], float, float]:
    """Split finite numbers into 65,536 steps over their range.

    Returns
    -------
    (stored, scale, offset)
        ``stored * scale + offset`` restores each value to within half a step.
    """
    if not np.all(np.isfinite(values)):
        raise WireError("Only finite numbers can be quantised.")
    offset = float(values.min()) if values.size else 0.0
    spread = float(values.max()) - offset if values.size else 0.0
    scale = spread / 65535 or 1.0
    stored = np.rint((np.asarray(values, dtype=np.float64) - offset) / scale)
    return stored.astype("<u2"), scale, offset


def part(
    name: str, values: ArrayLike, *, dtype: str | None = None, codec: Codec = "raw"
) -> tuple[Message, memoryview]:
    """Describe one array and give its bytes; see :func:`narrow` for the types.

    ``deflate`` is zlib over the raw bytes; ``q16`` stores 16-bit steps (:func:`quantise`).
    """
    array = narrow(name, values, dtype)
    described: Message = {
        "name": name,
        "dtype": array.dtype.str[1:],
        "shape": list(array.shape),
        "n": math.prod(array.shape),
        "codec": codec,
    }
    if codec == "q16":
        array, described["scale"], described["offset"] = quantise(array)
    data = array.reshape(-1).view(np.uint8).data
    if codec == "deflate":
        data = memoryview(zlib.compress(data, level=6))
    return described, data


def frame(
    kind: str,
    seq: int,
    columns: Mapping[str, ArrayLike],
    /,
    *,
    dtypes: Mapping[str, str] | None = None,
    codec: Codec = "raw",
    id: str | None = None,
    **extra: Any,
) -> tuple[Message, list[memoryview]]:
    """Build a message and its buffers, ready for ``widget.send(*frame(...))``.

    Parameters
    ----------
    kind
        ``append``, ``state``, or a kind of one widget's own.
    seq
        Rises by one with each ``append``; a ``state`` carries the last one it includes.
    columns
        Name to array; one part each, in this order.
    dtypes
        Wire types of single columns, where the default narrowing is not wanted.
    extra
        JSON-safe values that ride in the message itself.
    """
    parts = [
        part(name, values, dtype=(dtypes or {}).get(name), codec=codec)
        for name, values in columns.items()
    ]
    message: Message = {"v": VERSION, "kind": kind, "seq": seq, **extra}
    if id is not None:
        message["id"] = id
    message["parts"] = [described for described, _ in parts]
    return message, [data for _, data in parts]
