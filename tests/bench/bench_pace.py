"""How true a CarRacing dream is by how fast its driver is: `python tests/bench/bench_pace.py [SLOT]`.

Skill and road overlap fall with the speed, since a fast camera sees more that is new. For each pace: what repeating the
last frame would score, and the dream, at k = 1, 5, 15, 50. Open loop, no sampling noise, seeds that no training saw.
"""

import sys
from typing import Any

import numpy as np

from wmplay.agents.scripted_car import CarDriver
from wmplay.evaluate.fidelity import measure
from wmplay.evaluate.replay import real_games, stacked
from wmplay.evaluate.starts import CONTEXT, Starts
from wmplay.evaluate.subject import Subject, prepare

# Shares of the speed that the road allows, slowest and fastest driver.
PACES = ((0.2, 0.3), (0.25, 0.45), (0.25, 1.0), (0.7, 1.0))
COUNT, HORIZON, FIRST_SEED = 64, 50, 1_800_000


def drive(subject: Subject, slowest: float, fastest: float) -> Starts:
    """Starts from COUNT episodes of the scripted driver at these paces, each from another track and another moment."""
    game, rows = subject.game, CONTEXT + HORIZON
    random = np.random.default_rng(0)
    agent = CarDriver(game, subject.world.action, seed=0)
    agent.leisure, agent.hurry = slowest, fastest
    agent.reset(COUNT)
    begin = game.warmup + random.integers(0, 24, COUNT)
    with real_games(game, COUNT) as envs:
        seen, infos = map(list, zip(*(env.reset(seed=FIRST_SEED + i) for i, env in enumerate(envs)), strict=True))
        frames, actions = [np.stack(seen)], [np.zeros((COUNT, 3), np.float32)]
        for _ in range(begin.max() + rows):
            actions.append(agent.act(frames[-1], stacked(infos), np.zeros(COUNT, np.bool_)))
            for i, env in enumerate(envs):
                seen[i], _, _, _, infos[i] = env.step(actions[-1][i])
            frames.append(np.stack(seen))

    def cut(steps: list[Any]) -> Any:
        return np.stack([np.stack(steps[b : b + rows])[:, i] for i, b in enumerate(begin)])

    none = np.zeros((COUNT, rows), np.bool_)
    return Starts(
        CONTEXT, cut(frames), cut(actions), none.astype(np.float32), none, none, np.full(COUNT, rows),
        np.arange(FIRST_SEED, FIRST_SEED + COUNT), (),
    )  # fmt: skip


def main(slot: str) -> None:
    """Print a line for each pace."""
    subject = prepare(slot, COUNT, full=False, device="cpu")
    print(f"{slot}: skill / road overlap (repeating the last frame) of {COUNT} drives")
    for slowest, fastest in PACES:
        card, _ = measure(subject.world, subject.game, drive(subject, slowest, fastest), subject.mean)
        texts = [
            f"k={k} {row['skill'][0]:.2f} / {row['road_iou'][0]:.2f} ({row['repeat_road_iou'][0]:.2f})"
            for k, row in card.items()
        ]
        print(f"pace {slowest:.0%} to {fastest:.0%}: " + ", ".join(texts), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "car_racing")
