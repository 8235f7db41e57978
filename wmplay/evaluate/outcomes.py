"""Reward and end, one step ahead from real states: can one play by what the model says about them?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from wmplay.evaluate.rollout import begin
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.statistics import mean_figure, share_figure
from wmplay.worlds.protocol import State, World

# An end is predicted where its probability reaches a half, as dreams end there.
THRESHOLD = 0.5
# Steps of each start, one after the other.
STEPS = 12


@torch.inference_mode()
def measure_outcomes(
    world: World,
    parts: Sequence[Starts],
    device: torch.device | str = "cpu",
    seed: int = 0,
    tick: Callable[[], None] | None = None,
    began: State | None = None,
) -> dict[str, Any]:
    """Errors of reward and end when every step starts from what really happened before it.

    parts: starts to walk along, if there are any, the first of which may have `began` (see `rollout.dream`); those
    drawn from the tails of episodes bring the ends, which are therefore more frequent here than in play. Returns `n`
    steps, `ends` among them, `reward_error` (mean absolute), `reward_baseline` (of always saying the mean),
    `reward_skill` (1 − squared error / variance; None where the reward never changes), `end_precision`, `end_recall`.
    """
    said: list[np.ndarray] = []
    for part in (part for part in parts if part.count):
        generator = torch.Generator(device=device).manual_seed(seed)
        state = begin(world, part, device, generator) if began is None or part is not parts[0] else began
        for k in range(1, min(STEPS, part.horizon) + 1):
            action = torch.as_tensor(np.ascontiguousarray(part.actions(k))).to(device)
            _, reward, end = world.step(state, action, 0.0, generator)
            row = part.context - 1 + k
            real = np.stack([part.reward[:, row], part.terminated[:, row]])
            rows = np.stack([*real, reward.float().cpu().numpy(), end.float().cpu().numpy()])
            said.append(rows[:, part.lasting(k)])
            seen = torch.as_tensor(np.ascontiguousarray(part.truth(k))).to(device)
            state = world.update(state, action, seen, torch.zeros(part.count, dtype=torch.bool, device=device))
            if tick:
                tick()
    real_reward, real_end, reward_said, end_said = np.concatenate(said, axis=1).astype(np.float64)
    return {
        "n": len(real_reward),
        **_rewards(real_reward, reward_said),
        **_ends(real_end > 0.5, end_said >= THRESHOLD),
    }


def _rewards(real: np.ndarray, said: np.ndarray) -> dict[str, Any]:
    variance = float(real.var())
    return {
        "reward_error": mean_figure(np.abs(said - real)),
        "reward_baseline": mean_figure(np.abs(real - real.mean())),
        "reward_skill": round(1 - float(((said - real) ** 2).mean()) / variance, 4) if variance > 1e-9 else None,
    }


def _ends(real: np.ndarray, said: np.ndarray) -> dict[str, Any]:
    both = int((real & said).sum())
    return {
        "ends": int(real.sum()),
        "end_precision": share_figure(both, int(said.sum())),
        "end_recall": share_figure(both, int(real.sum())),
    }
