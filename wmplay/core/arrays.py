"""One .npy file that grows: rows are appended, then the header is brought up to date, so it is valid at all times."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path
from typing import Any

import numpy as np

from wmplay.core.errors import WmplayError

_HEADER = 256  # bytes; room for any shape of ours
_PAGE = 4096  # bytes; where rows fill whole pages of memory (64×64 frames fill three), no row shall touch one more


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """A .npy version 1.0 header padded to a length that never changes (numpy.lib.format: magic, version, length, dict,
    newline)."""
    row = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
    length = _PAGE if row and row % _PAGE == 0 else _HEADER
    text = repr({"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    body = text.encode("latin1").ljust(length - 11) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


def append(path: Path, rows: np.ndarray, count: int) -> None:
    """Append `rows` [K, ...] to the array of `count` rows in the file, making the file if `count` is 0.

    The data goes first and the header after it: a reader, or a kill in between, sees the old rows and no torn one. A
    failed write (disk full) raises OSError and leaves the old rows.
    """
    shape = (count + len(rows), *rows.shape[1:])
    header = _header(rows.dtype, shape)
    data = np.ascontiguousarray(rows)
    with path.open("r+b" if count else "wb", buffering=0) as file:
        if not count:
            file.write(_header(rows.dtype, (0, *rows.shape[1:])))
        file.seek(len(header) + count * rows.dtype.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64)))
        view = memoryview(data.reshape(-1).view(np.uint8).data)
        while len(view):  # one call may write less than it is given
            view = view[file.write(view) or 0 :]
        file.seek(0)
        file.write(header)


def cut(path: Path, count: int) -> None:
    """Keep the first `count` rows of an array that `append` made. Raises WmplayError if there are fewer, or OSError."""
    array = open_array(path)
    if len(array) < count:
        raise WmplayError(f"has {len(array)} rows and not {count}")
    header = _header(array.dtype, (count, *array.shape[1:]))
    size = len(header) + count * array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
    del array  # a mapped file cannot be cut everywhere
    with path.open("r+b", buffering=0) as file:
        file.write(header)  # first: a reader never expects more than there is
        file.truncate(size)


def open_array(path: Path) -> np.ndarray:
    """The array in a file as a read-only memory map, without pickles. A file cut short gives the whole rows it has.

    Raises WmplayError with a few words (no full sentence: the caller names the place) if it is not such a file.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise WmplayError("is of an unknown .npy version")
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            offset = file.tell()
            size = file.seek(0, io.SEEK_END)
    except OSError as why:
        raise WmplayError(f"cannot be read ({why.strerror or why})") from why
    except (ValueError, SyntaxError, tokenize.TokenError, OverflowError) as why:
        raise WmplayError("is no .npy file") from why
    if any(size < 0 for size in shape):
        raise WmplayError("is no .npy file: its header tells of fewer than no rows")
    if dtype.hasobject:
        raise WmplayError("holds Python objects, which are refused")
    if fortran or not shape:
        raise WmplayError("is not stored row by row")
    row = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
    there = min(shape[0], (size - offset) // row) if row else 0
    if there <= 0:
        return np.zeros((0, *shape[1:]), dtype)
    return np.memmap(path, dtype, "r", offset, (there, *shape[1:]))


def stated_rows(path: Path) -> int:
    """How many rows the header says there are."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return int(read(file)[0][0])
