"""Rows of large arrays on disk, read exactly where they are wanted, and announced ahead so that the disk never waits.

A memory map would do with little data. With more than the memory holds, every touch of a page that is not there makes
the system read megabytes around it (its read-ahead, made for files that are read in order) and throw out what the next
batch needs. `wmplay bench data --gigabytes 5 --memory 1` measures both ways.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence

import numpy as np

from wmplay.core.errors import WmplayError

# Bytes of all arrays together from which on files are read; less is in the system's cache soon, and is mapped.
LARGE = 256 << 20


class Rows:
    """Reads rows of several arrays [N, ...] of one shape and dtype: from their files if they are large and mapped."""

    def __init__(self, sources: Sequence[np.ndarray]) -> None:
        self.sources = list(sources)
        self.shape, self.dtype = self.sources[0].shape[1:], self.sources[0].dtype
        self._row = self.dtype.itemsize * int(np.prod(self.shape))
        # For each array its file and where its rows begin there; None: it is read as the array it is.
        self._files: list[tuple[int, int] | None] = [None] * len(self.sources)
        large = sum(source.nbytes for source in self.sources) > LARGE
        if large and hasattr(os, "posix_fadvise") and hasattr(os, "preadv"):
            self._open()

    def _open(self) -> None:
        handles: dict[str, int] = {}
        weakref.finalize(self, _close, handles)
        for number, source in enumerate(self.sources):
            if not isinstance(source, np.memmap) or not source.filename or not source.flags.c_contiguous:
                continue
            path = str(source.filename)
            if path not in handles:
                try:
                    handles[path] = os.open(path, os.O_RDONLY)
                except OSError:
                    continue  # it was deleted since; its map still holds it
                os.posix_fadvise(handles[path], 0, 0, os.POSIX_FADV_RANDOM)
            self._files[number] = handles[path], int(source.offset)

    def announce(self, number: int, start: int, count: int) -> None:
        """Rows [start, start + count) of this array are wanted soon: the system may begin to fetch them."""
        file = self._files[number]
        if file is not None:
            os.posix_fadvise(file[0], file[1] + start * self._row, count * self._row, os.POSIX_FADV_WILLNEED)

    def read(self, number: int, start: int, out: np.ndarray) -> None:
        """Fill out [K, ...] with rows [start, start + K) of this array. Raises WmplayError if they are gone."""
        file = self._files[number]
        if file is None or not out.flags.c_contiguous:
            out[...] = self.sources[number][start : start + len(out)]
            return
        view = memoryview(out.reshape(-1).view(np.uint8).data)
        at = file[1] + start * self._row
        while len(view):
            there = os.preadv(file[0], [view], at)
            if not there:
                path = self.sources[number].filename  # type: ignore[attr-defined]
                raise WmplayError(f"{path} was cut short while it was in use; its dataset has to be opened again.")
            view, at = view[there:], at + there


def _close(handles: dict[str, int]) -> None:
    for handle in handles.values():
        os.close(handle)
