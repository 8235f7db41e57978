"""How much CarRacing's dreamed roads bend: `python tests/bench/bench_bends.py [SLOT]`.

A road that only goes straight on is a road at every step, so staying power does not see it. The same driver steers, by
sight, the real games and dreams of the same starts; how far each turned is read off the pictures by the same eyes.
"""

import sys
from itertools import pairwise

import numpy as np
import torch
from bench_staying import driven

from wmplay.evaluate import truths
from wmplay.evaluate.pixel_driver import PixelDriver
from wmplay.evaluate.replay import replayed
from wmplay.evaluate.subject import Subject, prepare
from wmplay.worlds.blocks import to_float
from wmplay.worlds.canvas import Canvas

COUNT, STEPS = 32, 360
# By then everything in sight was dreamed; and so many steps are looked at together.
FROM, TOGETHER = 60, 30


@torch.inference_mode()
def summary(world: Canvas, frames: list[np.ndarray]) -> str:
    """What frames uint8 [N, H, W, 3] of each step tell, of stretches on the road."""
    pictures = [to_float(torch.as_tensor(f)).contiguous() for f in frames[FROM:]]
    motion = torch.stack([world.vision.exact_motion(a, b) for a, b in pairwise(pictures)]).numpy()
    road = np.stack([truths.car_on_road(f) for f in frames[FROM + 1 :]])
    whole = len(motion) // TOGETHER * TOGETHER

    def stretches(values: np.ndarray) -> np.ndarray:
        return values[:whole].reshape(-1, TOGETHER, values.shape[1])

    turn = np.degrees(np.abs(stretches(motion[..., 2]).sum(axis=1)))
    way = stretches(np.hypot(motion[..., 0], motion[..., 1])).sum(axis=1)
    kept = stretches(road).mean(axis=1) > 0.9
    return (
        f"{100 * turn[kept].sum() / way[kept].sum():.0f} degrees in 100 units of the way, more than 30 in "
        f"{(turn[kept] > 30).mean():.0%} of {kept.sum()} stretches of {TOGETHER} steps; on a road {road.mean():.1%}"
    )


def played(subject: Subject) -> list[np.ndarray]:
    """What the real games of the same starts show."""
    driver = PixelDriver(subject.world.action)
    with replayed(subject.game, subject.regimes["expert"]) as games:
        frames = [games.seen]
        for _ in range(STEPS):
            games.step(driver.act(frames[-1]))
            frames.append(games.seen)
    return frames


def main(slot: str) -> None:
    """Print a line for the game and one for the dreams."""
    subject = prepare(slot, COUNT, full=False, device="cpu")
    world = subject.world
    assert isinstance(world, Canvas), "only a canvas knows how its camera moves"
    print(f"the game: {summary(world, played(subject))}", flush=True)
    print(f"{slot}: {summary(world, list(driven(subject, STEPS)))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "car_racing")
