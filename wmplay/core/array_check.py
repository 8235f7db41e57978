"""Whether plain arrays can be recorded play at all: every field is looked at before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wmplay.core.errors import WmplayError

# Whole-number actions from here on are taken for mistakes: no game of ours has as many, and a network would hold each.
MOST_ACTIONS = 4096
# Axes and kinds of numbers (numpy's letters) of each field, and how people are told; observations may be anything here.
_FORMS: dict[str, tuple[tuple[int, ...], str, str]] = {
    "ends": ((1,), "biuf", "one number for each row"),
    "actions": ((1, 2), "biuf", "integers [N] or [N, A] or floats [N, A]"),
    "rewards": ((1,), "biuf", "one number for each row"),
    "seeds": ((1,), "iu", "one whole number for each episode"),
    "low": ((1,), "iuf", "numbers [A]"),
    "high": ((1,), "iuf", "numbers [A]"),
}


def check_arrays(found: Mapping[str, np.ndarray], path: Path) -> None:
    """Raises WmplayError that names the file and the field if one cannot be what it should."""
    for field in ("observations", "frames", "next_observations"):
        if field in found and (found[field].ndim < 2 or not all(found[field].shape[1:])):
            raise WmplayError(f"{path}: {field} {_is(found[field])}; it must be uint8 [N, H, W, 3] or numbers [N, S].")
    for field, (axes, kinds, form) in _FORMS.items():
        array = found.get(field)
        if array is not None and (array.ndim not in axes or array.dtype.kind not in kinds or 0 in array.shape[1:]):
            raise WmplayError(f"{path}: {field} must be {form}, but {_is(array)}.")
    if "ends" in found:
        _check_ends(np.asarray(found["ends"]), path)
    _check_bounds(found, path)


def _check_ends(ends: np.ndarray, path: Path) -> None:
    if not len(ends):
        raise WmplayError(f"{path}: ends must be one number for each row, but there is none.")
    wrong = np.flatnonzero(~np.isin(ends, (0, 1, 2)))
    if len(wrong):
        raise WmplayError(
            f"{path}: ends is {ends[wrong[0]]} at row {wrong[0]}; it must be 0 (goes on), 1 (ended) or 2 (was cut off)."
        )


def _check_bounds(found: Mapping[str, np.ndarray], path: Path) -> None:
    width = found["actions"].shape[1:] if "actions" in found else ()
    for field in ("low", "high"):
        if field in found and (found[field].shape != width or not np.isfinite(found[field]).all()):
            raise WmplayError(f"{path}: {field} must be a finite bound for each part {list(width)} of an action.")
    if "low" in found and "high" in found and (np.asarray(found["low"]) >= np.asarray(found["high"])).any():
        raise WmplayError(f"{path}: low is not below high for every part of an action.")


def _is(array: np.ndarray) -> str:
    return f"is {array.dtype} {list(array.shape)}"
