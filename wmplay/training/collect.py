"""Play made by players: many games at once, recorded while it happens, every episode from a seed of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.errors import GameError
from wmplay import games
from wmplay.core import paths
from wmplay.core.catalog import PLAYERS, Game
from wmplay.core.episodes import HELD_OUT_SEED, Dataset, Recorder
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.training.collect_mark import EVERY, drop_mark, read_mark, write_mark
from wmplay.training.collect_play import Play

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
        raise NotFoundError(f"There is no player {unknown[0]!r}; choose one of {', '.join(PLAYERS)}.")
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

    An existing dataset is continued with episodes it does not have yet. One that this very call was making when it was
    killed goes on from its last mark, and is in the end what it would have been; where its game is too slow for that,
    or not the same again under a seed, only the running episodes are cut off. Raises WmplayError in words.
    """
    game = games.find(game)
    folder = paths.episodes_dir(game.slug) / paths.check_name(name, "dataset")
    order = {"frames": frames, "players": list(players), "seed": seed, "held_out": held_out, "noise": noise}
    mark = read_mark(folder, order)
    there, episodes = (mark["there"], mark["episodes"]) if mark else _existing(folder)
    yield there + mark["recorder"]["rows"] if mark else there
    if there >= frames:
        return
    env = games.make_vec(game, streams(game, frames - there), apart=True)
    try:
        observation, action = games.specs(env)
        parts = plan(game, frames - there, players, noise, mixed=not held_out)
        for part in parts:
            games.make_player(part.player, game, action, part.noise)  # a mistyped one leaves no dataset behind
        info = (folder, game.short or game.id, dict(game.params), observation, action, held_out)
        with Recorder(*info, mark=mark["recorder"] if mark else None) as recorder:
            if mark is None:  # killed in its first seconds it begins anew, and not behind what those have left
                place = {"there": there, "episodes": episodes, "part": 0, "done": there}
                write_mark(folder, order, {**place, "recorder": recorder.mark(), "session": None})
            player_names = list(PLAYERS)
            done = there
            for number, part in enumerate(parts):
                if mark and number < mark["part"]:
                    continue
                base = (player_names.index(part.player) * _SEEDS_PER_PLAYER + seed * 10_007 + episodes) % 900_000
                base += HELD_OUT_SEED if held_out else 0
                agent = games.make_player(part.player, game, action, part.noise, seed=base)
                session = Play(env, agent, recorder, part.player, base)
                done = there + recorder.rows
                if mark and mark["session"]:
                    done = mark["done"]
                    yield from (there + recorder.rows for _ in session.go_on(mark["session"], mark["recorder"]))
                else:
                    session.begin()
                mark = None
                marked = time.monotonic()
                while recorder.rows + there < done + part.rows:
                    session.step()
                    if time.monotonic() - marked > EVERY:
                        place = {"there": there, "episodes": episodes, "part": number, "done": done}
                        write_mark(folder, order, {**place, "recorder": recorder.mark(), "session": session.state()})
                        marked = time.monotonic()
                    yield there + recorder.rows
                episodes += session.episodes
        drop_mark(folder)
    except GameError as why:
        raise WmplayError(str(why)) from why
    finally:
        env.close()


def left_unfinished(game: Game, frames: int, players: Sequence[str], name: str, held_out: bool = False) -> bool:
    """Whether `collecting`, called like this, would go on where it was killed."""
    order = {"frames": frames, "players": list(players), "seed": 0, "held_out": held_out, "noise": None}
    return read_mark(paths.episodes_dir(game.slug) / name, order) is not None


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


def rows_there(game: Game, name: str) -> int:
    """Rows of the dataset, 0 if there is none."""
    return _existing(paths.episodes_dir(game.slug) / name)[0]


def _existing(folder: Path) -> tuple[int, int]:
    """Rows and episodes of the dataset in this folder, (0, 0) if there is none."""
    if not (folder / "dataset.json").exists():
        return 0, 0
    data = Dataset(folder)
    return data.rows, len(data.episodes)
