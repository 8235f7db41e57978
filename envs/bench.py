"""Measures how fast our games step: GridWorld and CartPole, one at a time and many at once."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import envs
from envs.cartpole import draw_state


def _rate(work: Callable[[], int], seconds: float, repeats: int = 3) -> list[float]:
    """Units of work per second, one figure for each repeat, after a warm-up."""
    work()
    figures = []
    for _ in range(repeats):
        done, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds / repeats:
            done += work()
        figures.append(done / spent)
    return figures


def _single(name: str) -> Callable[[], int]:
    env = gymnasium.make(name, disable_env_checker=True)
    env.reset(seed=0)
    count = int(env.action_space.n)  # type: ignore[attr-defined]
    actions = np.random.default_rng(0).integers(count, size=500).tolist()

    def work() -> int:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return len(actions)

    return work


def _vector(name: str, count: int, **params: Any) -> Callable[[], int]:
    env = gymnasium.make_vec(name, count, vectorization_mode="vector_entry_point", **params)
    env.reset(seed=0)
    choices = int(env.single_action_space.n)  # type: ignore[attr-defined]
    actions = np.random.default_rng(0).integers(choices, size=(20, count))

    def work() -> int:
        for row in actions:
            env.step(row)
        return actions.size

    return work


def _drawing() -> int:
    states = np.random.default_rng(0).normal(size=(512, 4)) * (1.0, 1.0, 0.1, 1.0)
    return len(draw_state(states))


def measure(seconds: float = 10.0) -> dict[str, dict[str, float]]:
    """Steps (or drawings) a second of each game, `{what: {"median", "low", "high", "n"}}`, in about so many seconds."""
    envs.register()
    work = {
        "grid_world": _single("wmplay/GridWorld-v0"),
        "grid_world x1024": _vector("wmplay/GridWorld-v0", 1024),
        "grid_world x1024, frames not copied": _vector("wmplay/GridWorld-v0", 1024, copy=False),
        "cartpole": _single("wmplay/CartPole-v0"),
        "cartpole x1024": _vector("wmplay/CartPole-v0", 1024),
        "cartpole drawings": _drawing,
    }
    report = {}
    for what, unit in work.items():
        figures = _rate(unit, seconds / len(work))
        report[what] = {
            "median": statistics.median(figures),
            "low": min(figures),
            "high": max(figures),
            "n": float(len(figures)),
        }
    return report
