"""Play made by players: many games at once, recorded while it happens, every episode from a seed of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.errors import GameError
from wmplay import games
from wmplay.core import paths
from wmplay.core.catalog import PLAYERS, Game
from wmplay.core.episodes import HELD_OUT_SEED, Dataset, Recorder
from wmplay.core.errors import UsageError, WmplayError

# An expert alone never leaves the good path, and a model that never saw a mistake cannot dream one: its share of the
# data is played at these noises in turn (None: the player's own).
EXPERT_NOISES: tuple[float | None, ...] = (None, 0.0, 0.3, 0.6)
# Training seeds are spread over the players, so that two datasets of one game share no episode.
_SEEDS_PER_PLAYER = 100_000


@dataclass(frozen=True)
class Part:
    """Rows to be played by one player at one noise."""

    player: str
    noise: float | None
    rows: int


def plan(game: Game, frames: int, players: Sequence[str], noise: float | None = None, mixed: bool = True) -> list[Part]:
    """Split `frames` rows evenly over players; if `mixed`, an expert's share over noises unless one is given."""
    unknown = [name for name in players if name not in PLAYERS]
    if unknown:
        raise UsageError(f"There is no player {unknown[0]!r}; choose one of {', '.join(PLAYERS)}.")
    if frames < 1 or not players:
        raise UsageError("Collecting needs at least one step and one player.")
    parts = []
    for number, name in enumerate(players):
        share = frames * (number + 1) // len(players) - frames * number // len(players)
        noises = EXPERT_NOISES if mixed and name == game.expert and noise is None else (noise,)
        for index, level in enumerate(noises):
            rows = share * (index + 1) // len(noises) - share * index // len(noises)
            if rows:
                parts.append(Part(name, level, rows))
    return parts


def streams(game: Game, frames: int) -> int:
    """How many games to play at once: enough to be fast, few enough that each plays a while."""
    most = 8 if game.truth == "road" or not game.id.startswith("wmplay/") else 64
    return max(1, min(most, frames // 200))


def collecting(
    game: Game | str,
    frames: int,
    players: Sequence[str],
    name: str,
    seed: int = 0,
    held_out: bool = False,
    noise: float | None = None,
) -> Iterator[int]:
    """Collect until the dataset `name` of the game holds `frames` rows; yields how many there are, at every step.

    An existing dataset is continued with episodes it does not have yet. Raises WmplayError in words.
    """
    game = games.find(game)
    folder = paths.episodes_dir(game.slug) / paths.check_name(name, "dataset")
    there, episodes = _existing(folder)
    yield there
    if there >= frames:
        return
    env = games.make_vec(game, streams(game, frames - there))
    try:
        observation, action = games.specs(env)
        with Recorder(folder, game.short or game.id, dict(game.params), observation, action, held_out) as recorder:
            player_names = list(PLAYERS)
            for part in plan(game, frames - there, players, noise, mixed=not held_out):
                base = (player_names.index(part.player) * _SEEDS_PER_PLAYER + seed * 10_007 + episodes) % 900_000
                base += HELD_OUT_SEED if held_out else 0
                agent = games.make_player(part.player, game, action, part.noise, seed=base)
                session = _Play(env, agent, recorder, part.player, base)
                done = there + recorder.rows
                while recorder.rows + there < done + part.rows:
                    session.step()
                    yield there + recorder.rows
                episodes += session.episodes
    except GameError as why:
        raise WmplayError(str(why)) from why
    finally:
        env.close()


def collect(
    game: Game | str,
    frames: int,
    players: Sequence[str],
    name: str,
    seed: int = 0,
    held_out: bool = False,
    noise: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """`collecting` to its end; returns the dataset's folder. progress: called with the rows there are."""
    game = games.find(game)
    for rows in collecting(game, frames, players, name, seed, held_out, noise):
        if progress is not None:
            progress(rows)
    return paths.episodes_dir(game.slug) / name


class _Play:
    """One player in every stream of a vector env that resets only when told."""

    def __init__(self, env: Any, agent: Any, recorder: Recorder, player: str, base: int) -> None:
        self.env, self.agent, self.recorder, self.player = env, agent, recorder, player
        self.base, self.episodes, self.count = base, 0, env.num_envs
        self._lanes = list(range(self.count))
        self.agent.reset(self.count, seed=base)
        self._begin(np.ones(self.count, bool))

    def _begin(self, mask: np.ndarray) -> None:
        lanes = np.flatnonzero(mask)
        seeds: list[int | None] = [None] * self.count
        for lane in lanes:
            seeds[lane] = self.base + self.episodes
            self.episodes += 1
        self._seen, self._info = self.env.reset(seed=seeds, options={"reset_mask": mask.copy()})
        self._first = mask.copy()
        self.recorder.begin_batch(lanes.tolist(), self._seen[lanes], [seeds[i] for i in lanes], self.player)

    def step(self) -> None:
        """One step of every stream, and new episodes where one has ended."""
        action = self.agent.act(self._seen, self._info, self._first)
        self._seen, reward, terminated, truncated, self._info = self.env.step(action)
        if not np.isfinite(reward).all():
            raise WmplayError(f"The game gave a reward that is no number ({reward}); nothing can be learned from it.")
        self.recorder.step_batch(self._lanes, self._seen, action, reward, terminated, truncated)
        self._first = np.zeros(self.count, bool)
        ended = terminated | truncated
        if ended.any():
            self._begin(ended)


def rows_there(game: Game, name: str) -> int:
    """Rows of the dataset, 0 if there is none."""
    return _existing(paths.episodes_dir(game.slug) / name)[0]


def _existing(folder: Path) -> tuple[int, int]:
    """Rows and episodes of the dataset in this folder, (0, 0) if there is none."""
    if not (folder / "dataset.json").exists():
        return 0, 0
    data = Dataset(folder)
    return data.rows, len(data.episodes)
