"""The held-out play every slot of a game is measured on: collected once, on demand, from seeds that training never
sees."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from wmplay import games
from wmplay.core import episodes, paths
from wmplay.core.catalog import Game
from wmplay.core.errors import WmplayError
from wmplay.core.spaces import ActionSpec
from wmplay.evaluate.lingering import Errands
from wmplay.evaluate.replay import real_games, stacked
from wmplay.evaluate.starts import CONTEXT, Starts, draw_starts

REGIMES = ("player", "expert")
# The regimes play different games: seeds from 1,000,000 (as DESIGN.md §7 asks) and from 1,500,000.
FIRST_SEED = {"player": episodes.HELD_OUT_SEED, "expert": episodes.HELD_OUT_SEED + 500_000}
# Episodes played at the same time, and how many may be played in search of one that lasts long enough.
WIDTH, SEARCH = 16, 30
# Room behind the earliest start, so that starts differ in their place in the episode.
ROOM = 24
# A card with fewer starts stands on the first of these.
LEAST = 64


@dataclass
class Played:
    """One episode in memory, in the row convention of `core.episodes`."""

    seed: int
    player: str
    observation: list[NDArray[Any]]
    action: list[Any]
    reward: list[float]
    terminated: bool = False
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.observation)


def player_name(game: Game, regime: str) -> str | None:
    """Who plays in this regime: the first of the players that make the training data, or the expert (None without
    one)."""
    return game.players[0] if regime == "player" else game.expert


def play(game: Game, player: str, first_seed: int, need: int, limit: int) -> Iterator[Played]:
    """Play episodes of at most `limit` rows with seeds first_seed, first_seed + 1, …, without an end, in waves of
    WIDTH.

    On GridWorld the player keeps away from every end for the first `need` rows (see `lingering`), then plays as usual.
    """
    with real_games(game, WIDTH, limit) as envs:
        action_spec: ActionSpec = games.specs(envs[0])[1]
        wave = first_seed
        while True:
            agent = games.make_player(player, game, action_spec, seed=wave)
            agent.reset(WIDTH, seed=wave)
            yield from _wave(envs, agent, game, player, wave, need, limit)
            wave += WIDTH


def _wave(envs: list[Any], agent: Any, game: Game, player: str, wave: int, need: int, limit: int) -> list[Played]:
    errands = Errands(wave)
    seen, infos = map(list, zip(*(env.reset(seed=wave + i) for i, env in enumerate(envs)), strict=True))
    played = [Played(wave + i, player, [np.array(frame)], [], [0.0]) for i, frame in enumerate(seen)]
    first, alive, row = np.ones(len(envs), np.bool_), set(range(len(envs))), 1
    while alive and row < limit:
        info = stacked(infos)
        actions = agent.act(np.stack(seen), info, first)
        if game.truth == "board" and row <= need:
            actions = errands.instead(info["board"], actions)
        first = np.zeros(len(envs), np.bool_)
        for i in sorted(alive):
            seen[i], reward, terminated, truncated, infos[i] = envs[i].step(actions[i])
            episode = played[i]
            episode.observation.append(np.array(seen[i]))
            episode.action.append(np.array(actions[i]))
            episode.reward.append(float(reward))
            episode.terminated, episode.truncated = bool(terminated), bool(truncated)
            if terminated or truncated:
                alive.discard(i)
        row += 1
    return played


def collect(game: Game, regime: str, count: int, horizon: int, progress: Callable[[float], None] | None = None) -> None:
    """Write the game's held-out dataset of this regime: `count` episodes, long enough for `horizon` where the game
    allows."""
    player = player_name(game, regime)
    if player is None:
        raise WmplayError(f"{game.title} has no expert, so there is no expert regime.")
    need = game.warmup + CONTEXT + horizon
    limit = need + ROOM + (100 if game.truth == "board" else 0)
    kept: list[Played] = []
    shorter: list[Played] = []
    for tried, episode in enumerate(play(game, player, FIRST_SEED[regime], need + ROOM // 2, limit), start=1):
        (kept if len(episode) >= need else shorter).append(episode)
        if len(shorter) > count:  # keep the longest of the short ones
            shorter = sorted(shorter, key=lambda e: (-len(e), e.seed))[:count]
        if progress:
            progress(min(1.0, max(len(kept) / count, tried / (SEARCH * count))))
        if len(kept) == count or tried == SEARCH * count:
            break
    kept += sorted(shorter, key=lambda e: (-len(e), e.seed))[: count - len(kept)]
    _write(game, folder(game, regime, horizon), kept)


def card_horizon(game: Game, full: bool) -> int:
    """H of the card: 200 where dreams are cheap to check (a board) or everything is asked for, else 50."""
    return 200 if full or game.truth == "board" else 50


def folder(game: Game, regime: str, horizon: int) -> Path:
    """Where this regime's held-out dataset is. One for each horizon: longer episodes would move the starts of shorter
    cards."""
    longer = "" if horizon == card_horizon(game, full=False) else f"-{horizon}"
    return paths.episodes_dir(game.slug) / f"heldout-{regime}{longer}"


def _write(game: Game, target: Path, played: list[Played]) -> None:
    """Whole beside the old one, then in its place: a half-written measure would be worse than none."""
    beside = target.with_name(f".{target.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    env = games.make(game)
    observation, action = games.specs(env)
    env.close()
    blank = np.zeros(action.shape, action.dtype)
    name = game.short or game.id
    with episodes.Recorder(beside, name, dict(game.params), observation, action, held_out=True) as recorder:
        for episode in played:
            recorder.begin(0, episode.observation[0], seed=episode.seed, player=episode.player)
            last = len(episode) - 1
            for t in range(1, last + 1):
                recorder.step(
                    0,
                    episode.observation[t],
                    np.asarray(episode.action[t - 1], action.dtype).reshape(blank.shape),
                    episode.reward[t],
                    episode.terminated and t == last,
                    t == last and not episode.terminated,
                )
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)


def starts(
    game: Game, regime: str, count: int, horizon: int, progress: Callable[[float], None] | None = None
) -> Starts | None:
    """`count` held-out starts of this regime; the episodes are collected first where they are missing or too few.

    None where the game has nobody to play this regime.
    """
    if player_name(game, regime) is None:
        return None
    where = folder(game, regime, horizon)
    if not _enough(game, where, count, horizon):
        paths.locks_dir().mkdir(parents=True, exist_ok=True)
        with FileLock(paths.locks_dir() / f"heldout-{game.slug}-{where.name}.lock"):
            if not _enough(game, where, count, horizon):  # nobody else has collected it meanwhile
                collect(game, regime, max(count, LEAST), horizon, progress)
    return draw_starts(episodes.Dataset(where), count, horizon, CONTEXT, game.warmup)


def _enough(game: Game, where: Path, count: int, horizon: int) -> bool:
    if not (where / "dataset.json").exists():
        return False
    dataset = episodes.Dataset(where)
    if dataset.game_params != dict(game.params) or len(dataset.episodes) < count:
        return False
    # Where the game allows no longer episodes (all ended by themselves), asking again brings nothing.
    need = game.warmup + CONTEXT + horizon
    cut_short = [e for e in dataset.episodes if e.length < need and not e.terminated]
    return not cut_short
