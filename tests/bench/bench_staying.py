"""How much of the time dreams show a car on a road: `python tests/bench/bench_staying.py [SLOT] [CHANCE …]`.

The report card looks at a few instants of 64 dreams; here all 1,000 steps count, which tells dreams apart that differ
by a few percent. CHANCE: how strongly a canvas' painter is given to chance; if none is named, the code's own.
"""

import sys
from collections.abc import Iterator

import numpy as np
import torch

from wmplay.evaluate.rollout import begin, observations
from wmplay.evaluate.staying import MARKS, STEPS, keys_of, still_the_game
from wmplay.evaluate.subject import Subject, prepare
from wmplay.worlds import looking

COUNT = 64


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


def main(slot: str, chances: list[float]) -> None:
    """Print a line for each chance."""
    subject = prepare(slot, COUNT, full=False, device="cpu")
    print(f"{slot}: share of {COUNT} dreams that show the game")
    for chance in chances or [looking.CHANCE]:
        looking.CHANCE = chance
        shown = np.array([still_the_game(subject.game, seen) for seen in driven(subject, STEPS)])
        marks = ", ".join(f"after {k} {shown[k].mean():.1%}" for k in MARKS)
        print(f"chance {chance:g}: of all steps {shown[1:].mean():.1%}; {marks}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "car_racing", [float(text) for text in sys.argv[2:]])
