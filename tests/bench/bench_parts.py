"""Where a canvas dream goes wrong, in its memory or in its painter: `python tests/bench/bench_parts.py [SLOT]`.

The same held-out starts are dreamed four times: as the slot does, with the camera moved as it really was, with the land
painted as it really looks, and with both. What is gained is what the memory's motions, or the painter's guesses, cost.
"""

import sys
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from wmplay.evaluate.fidelity import Comparison
from wmplay.evaluate.rollout import observations
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.subject import Subject, prepare
from wmplay.worlds.blocks import to_float
from wmplay.worlds.canvas import Canvas
from wmplay.worlds.geometry import compose, journey

HORIZONS = (1, 5, 15, 50)
COUNT = 64
# Real frames that are laid down ahead of the camera: a dream that runs ahead of the game needs more than the current.
AHEAD = 4


@torch.inference_mode()
def dream(subject: Subject, world: Canvas, starts: Starts, real_motion: bool, real_land: bool) -> list[str]:
    """Skill and road overlap at each horizon, as texts."""
    frames = [to_float(torch.as_tensor(starts.truth(k))).contiguous() for k in range(max(HORIZONS) + 1)]
    motions = [world.vision.exact_motion(before, after) for before, after in pairwise(frames)]
    state = world.begin(starts.segment(), torch.Generator().manual_seed(0))
    start, poses = state.pose, journey(torch.stack(motions, 1))
    advance, comparison, texts = world.memory.advance, Comparison(world, subject.game, starts, subject.mean, None), []

    def led(hidden: Tensor, moved: Tensor, look: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        hidden, moved = advance(hidden, moved, look, action)
        return hidden, torch.cat((motions[k - 1], moved[:, 3:]), dim=-1)

    for k in range(1, max(HORIZONS) + 1):
        if real_land:
            canvas = state.canvas
            for ahead in range(k, min(max(HORIZONS), k + AHEAD - 1) + 1):
                there = compose(start, poses[:, ahead - 1])
                canvas = world.map.write(
                    canvas, there, world.vision.stretch(), frames[ahead], world.vision.loose(), real=True
                )
            state = state._replace(canvas=canvas)
        if real_motion:
            world.memory.advance = led  # type: ignore[method-assign]
        state, _, _ = world.step(state, torch.as_tensor(np.ascontiguousarray(starts.actions(k))), 0.0)
        world.memory.advance = advance  # type: ignore[method-assign]
        if k in HORIZONS:
            row = comparison.figures(k, observations(world, state), None)
            texts.append(f"k={k} {row['skill'][0]:.2f} / {row['road_iou'][0]:.2f}")
    return texts


def main(slot: str) -> None:
    """Print four lines for each regime."""
    subject = prepare(slot, COUNT, full=False, device="cpu")
    world = subject.world
    if not isinstance(world, Canvas):
        sys.exit(f"{slot} is no canvas: its memory and its picture are not two things.")
    print(f"{slot}: skill / road overlap of {COUNT} dreams")
    for regime, starts in subject.regimes.items():
        for motion, land in ((False, False), (True, False), (False, True), (True, True)):
            given = " and ".join(("real motion",) * motion + ("real land",) * land) or "as it is"
            print(f"{regime}, {given}: " + ", ".join(dream(subject, world, starts, motion, land)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "car_racing")
