"""How a batch of dreams is computed: in bfloat16 where that is quicker here and the world's steps are drawn anyway."""

from __future__ import annotations

import math
import time

import numpy as np

from wmplay.core.devices import PRECISIONS
from wmplay.core.errors import UsageError
from wmplay.devices import Precision, fastest
from wmplay.dreams.dreamer import Dreamer

# Fewer dreams than this gain nothing: their layers are too small.
MANY = 32
# A trial's steps; the first ones are not counted.
_STEPS, _WARM = 8, 2


def known(name: str) -> str:
    """The name itself if there is such a precision; UsageError with those there are if not."""
    if name not in PRECISIONS:
        raise UsageError(f"There is no precision {name!r}; choose one of {', '.join(PRECISIONS)}.")
    return name


def precision(dreamer: Dreamer, name: str) -> Precision:
    """The precision of this name for a dreamer whose dreams have begun; `auto` measures once for a machine.

    float32, whatever is asked, for worlds that are exact rather than drawn (`World.drawn`) and for games of numbers,
    which have more digits than pictures. Raises UsageError.
    """
    rounded, world = Precision(bf16=True), dreamer.world
    if known(name) == "float32" or not world.drawn or world.observation.kind != "frame":
        return Precision()
    if name == "bf16":
        return rounded
    if dreamer.count < MANY:
        return Precision()
    size = sum(p.numel() for p in world.parameters())
    # What is quickest for 200 dreams is so for 256: one measurement for each doubling.
    work = f"{world.family} of {size} dreaming {1 << (dreamer.count - 1).bit_length()}"
    return fastest(dreamer.place, work, lambda tried: seconds(dreamer, tried), (Precision(), rounded))


def seconds(dreamer: Dreamer, tried: Precision) -> float:
    """Seconds of the fastest of a few steps with their pictures; the dreams are where they were afterwards."""
    before, kept, best = dreamer.snapshot(), dreamer.precision, math.inf
    actions = np.zeros((dreamer.count, *dreamer.world.action.shape), dreamer.world.action.dtype)
    dreamer.precision = tried
    for step in range(_STEPS):
        begin = time.perf_counter()
        dreamer.step(actions)
        dreamer.frames()
        if step >= _WARM:
            best = min(best, time.perf_counter() - begin)
    dreamer.restore(before)
    dreamer.precision = kept
    return best
