"""What training and dreaming are measured on: a world model of a family, some real play, all in a folder that goes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from wmplay import games
from wmplay.core import catalog, config
from wmplay.core.catalog import Game
from wmplay.core.episodes import Dataset
from wmplay.core.recorder import Recorder
from wmplay.core.segments import SegmentSampler
from wmplay.core.slots import SlotInfo
from wmplay.devices import Device
from wmplay.training.settings import Settings
from wmplay.training.workshop import Workshop, fresh_world

# The games of issue 4's table for each family; a family that is not named here is measured on its first fitting game.
GAMES: dict[str, tuple[str, ...]] = {
    "state_vae": ("cartpole",),
    "vqvae_mdn": ("grid_world", "car_racing"),
    "tokens": ("grid_world", "car_racing"),
}
# Enough that batches differ, little enough to be played in a second or two.
FRAMES = 2_000


def games_of(family: str) -> tuple[str, ...]:
    """Short names of the games a family is measured on, its own first."""
    if family in GAMES:
        return GAMES[family]
    return ("car_racing",) if "frame" in catalog.family(family).observations else ("cartpole",)


@contextmanager
def play_recorded(game: Game, frames: int = FRAMES) -> Iterator[Dataset]:
    """Some random play of a game, recorded in a folder that is deleted again."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where) / "play"
        env = games.make(game, seed=0)
        observation, action = games.specs(env)
        seed = 0
        with Recorder(folder, game.slug, dict(game.params), observation, action) as recorder:
            while recorder.rows < frames:
                seen, _ = env.reset(seed=seed)
                recorder.begin(0, seen, seed, "random")
                ended = False
                while not ended and recorder.rows < frames:
                    chosen = env.action_space.sample()
                    seen, reward, terminated, truncated, _ = env.step(chosen)
                    recorder.step(0, seen, chosen, float(reward), terminated, truncated)
                    ended = terminated or truncated
                seed += 1
        env.close()
        yield Dataset(folder)


def workshop(
    family: str, preset: str, game: Game, data: Dataset, device: Device, where: Path, sets: Sequence[str] = ()
) -> Workshop:
    """A training run of this family as a worker would have it, with fresh weights, in the folder `where`."""
    world = catalog.load(catalog.family(family).target)
    chosen = config.resolve(world.Config, world.presets, preset, sets)
    info = SlotInfo(
        "bench", where, game=game.short, family=family, preset=preset, config=config.to_json(chosen),
        observation=data.observation.to_json(), action=data.action.to_json(),
    )  # fmt: skip
    model = fresh_world(info, device, 0)
    settings = Settings(minutes=10.0, data=("play",), device=device.name)
    return Workshop(
        where, info, settings, game, device, model, _silent, _silent, data=("play",), _open={"play": data}
    )  # fmt: skip


def contexts(data: Dataset, count: int, rows: int) -> dict[str, np.ndarray]:
    """Real segments [N, rows, ...] for dreams to start from."""
    return SegmentSampler([data], count, rows, 0, "cross").sample()._asdict()


def _silent(_text: str) -> None:
    """The phases' own narration is of no interest here."""
