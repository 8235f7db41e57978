"""How much of the time dreams show a car on a road: `python tests/bench/bench_staying.py [SLOT [DREAMS]]`.

The report card looks at a few instants of 64 dreams; here all 1,000 steps count, which tells dreams apart that differ
by a few percent.
"""

import sys
from collections.abc import Iterator

import numpy as np
import torch

from wmplay.evaluate.rollout import begin, observations
from wmplay.evaluate.staying import MARKS, STEPS, keys_of, still_the_game
from wmplay.evaluate.subject import Subject, prepare


@torch.inference_mode()
def driven(subject: Subject, steps: int) -> Iterator[np.ndarray]:
    """What dreams show, [N, ...]: after their context and after each step, under keys that an expert holds by sight."""
    world, starts = subject.world, subject.regimes["expert"]
    keys = keys_of(subject.game, "expert", world.action, starts.count, 0)
    assert keys is not None
    generator = torch.Generator().manual_seed(0)
    state = begin(world, starts, "cpu", generator)
    yield (seen := observations(world, state))
    for _ in range(steps):
        actions = torch.as_tensor(np.ascontiguousarray(keys(seen)))
        state, _, _ = world.step(state, actions, 1.0, generator)
        yield (seen := observations(world, state))


def main(slot: str, count: int) -> None:
    """Print a line."""
    subject = prepare(slot, count, full=False, device="cpu")
    shown = np.array([still_the_game(subject.game, seen) for seen in driven(subject, STEPS)])
    marks = ", ".join(f"after {k} {shown[k].mean():.1%}" for k in MARKS)
    print(f"{slot}: of {count} dreams' steps {shown[1:].mean():.1%} show the game; {marks}", flush=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0] if given else "car_racing", int(given[1]) if len(given) > 1 else 64)
