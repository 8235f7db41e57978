"""Does the dream answer the keys as the game does? The same start under opposite actions, dreamed and replayed for
real."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wmplay import games
from wmplay.core import atomic, paths
from wmplay.core.catalog import Game
from wmplay.core.spaces import ActionSpec
from wmplay.evaluate.replay import led
from wmplay.evaluate.rollout import begin, observations
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.statistics import mean_figure, share_figure
from wmplay.worlds.protocol import State, World

# A dream answers where its difference, measured along the game's, is at least this share of it: less is a fraction of a
# grey level, which no player sees, and an untrained network's noise has a sign too.
LEAST = 0.02
# Mean squared difference of two real pictures from which the game's answer counts as clear: with it, 51 of 64 random
# and 63
# of 64 expert starts of CarRacing are clear, and on GridWorld just the moves that are not blocked.
CLEAR = {"frame": 1e-3, "vector": 1e-6}


def steps_held(game: Game) -> int:
    """For how many steps the opposite actions are held: one move on a board, five where there is inertia."""
    return 1 if game.truth == "board" else 5


def opposites(game: Game, action: ActionSpec) -> list[tuple[Any, Any]]:
    """Pairs of opposite actions; a None inside a box action keeps what was recorded there (CarRacing's gas and
    brake)."""
    if game.truth == "board":
        return [(0, 2), (3, 1)]
    if action.kind == "discrete":
        # CarRacing's five discrete actions are nothing, right, left, gas, brake; elsewhere the first two must do.
        return [(2, 1)] if game.truth == "road" and action.n == 5 else [(0, 1)]
    if action.kind == "box":
        rest = [None] * (len(action.low) - 1)
        return [((action.low[0], *rest), (action.high[0], *rest))]
    rest_counts = [None] * (len(action.counts) - 1)
    return [((0, *rest_counts), (action.counts[0] - 1, *rest_counts))]


def _held(starts: Starts, k: int, wish: Any) -> NDArray[Any]:
    """The actions [N, ...] at step k with the wish put over what was recorded."""
    actions = starts.actions(k).copy()
    if not isinstance(wish, tuple):
        actions[:] = wish
        return actions
    for i, value in enumerate(wish):
        if value is not None:
            actions[:, i] = value
    return actions


def branched(game: Game, starts: Starts, pairs: list[tuple[Any, Any]], steps: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """What the real game shows after each branch: observations [P, 2, N, ...] and whether it got there, bool [P, 2, N].

    The game is reset to the start's seed and led there by the recorded actions. Cached: it is the same for every slot.
    """
    cache = paths.cache_dir() / "evaluate" / f"{game.slug}-{starts.digest()}-{steps}.npz"
    if cache.exists():
        with np.load(cache, allow_pickle=False) as saved:
            return saved["seen"], saved["there"]
    env = games.make(game)  # with its own time limit: starts beyond it are not `there`
    shape = starts.observation.shape[2:]
    seen = np.zeros((len(pairs), 2, starts.count, *shape), starts.observation.dtype)
    there = np.zeros((len(pairs), 2, starts.count), np.bool_)
    try:
        for p, pair in enumerate(pairs):
            for branch, wish in enumerate(pair):
                plan = [_held(starts, k, wish) for k in range(1, steps + 1)]
                for i in range(starts.count):
                    way = (*starts.prefix[i], *(step[i] for step in plan))
                    seen[p, branch, i], _, over = led(env, int(starts.seeds[i]), way)
                    there[p, branch, i] = not over
    finally:
        env.close()
    cache.parent.mkdir(parents=True, exist_ok=True)
    with atomic.writing(cache):
        beside = cache.with_suffix(".new.npz")
        np.savez_compressed(beside, seen=seen, there=there)
        beside.replace(cache)
    return seen, there


def _comparable(observation: NDArray[Any], ranges: NDArray[np.float32] | None, game: Game) -> NDArray[np.float64]:
    """Observations [N, ...] as vectors [N, D] on a scale of 1; of CarRacing only the view above the indicator bar.

    The bar shows the steering itself: a model could answer there alone.
    """
    if ranges is not None:
        return np.asarray(observation, np.float64) / ranges
    if game.truth == "road":
        observation = observation[:, : observation.shape[1] * 7 // 8]
    return observation.reshape(len(observation), -1).astype(np.float64) / 255


@torch.inference_mode()
def measure_following(
    world: World,
    game: Game,
    starts: Starts,
    ranges: NDArray[np.float32] | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
    began: State | None = None,
) -> dict[str, Any]:
    """The share of clear starts whose dream answers opposite actions with the game's sign, and how strongly.

    The game's answer is the difference of the two real pictures; the dream's has its sign where the two differences
    have a positive inner product (and it can be seen at all, see LEAST). `size`: length of the dream's difference
    over the game's; `alike`: their cosine. began: see `rollout.dream`.
    """
    steps, pairs = steps_held(game), opposites(game, world.action)
    real, there = branched(game, starts, pairs, steps)
    signs, sizes, cosines = [], [], []
    if began is None:
        began = begin(world, starts, device, torch.Generator(device=device).manual_seed(seed))
    for p, pair in enumerate(pairs):
        dreamed = []
        for wish in pair:
            state, generator = began, torch.Generator(device=device).manual_seed(seed)
            for k in range(1, steps + 1):
                action = torch.as_tensor(_held(starts, k, wish)).to(device)
                state, _, _ = world.step(state, action, 0.0, generator)
            dreamed.append(_comparable(observations(world, state), ranges, game))
        truth = _comparable(real[p, 0], ranges, game) - _comparable(real[p, 1], ranges, game)
        guess = dreamed[0] - dreamed[1]
        threshold = CLEAR["frame" if ranges is None else "vector"]
        clear = there[p].all(axis=0) & ((truth**2).mean(axis=1) > threshold)
        inner = (truth * guess).sum(axis=1)[clear]
        length, own = np.linalg.norm(truth, axis=1)[clear], np.linalg.norm(guess, axis=1)[clear]
        signs.append(inner > LEAST * length**2)
        sizes.append(own / length)
        cosines.append(inner / np.maximum(own * length, 1e-12))
    right, size, cosine = (np.concatenate(values) for values in (signs, sizes, cosines))
    return {
        "n": len(right),
        "k": steps,
        "share": share_figure(int(right.sum()), len(right)),
        "size": mean_figure(size),
        "alike": mean_figure(cosine),
    }
