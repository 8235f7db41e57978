"""Takes up the newer weights of a slot that is still training, so that one can go on playing while the model learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wmplay.core.errors import WmplayError
from wmplay.core.slots import SlotInfo
from wmplay.dreams.load import load_contexts, load_world, slot_info

if TYPE_CHECKING:
    from wmplay.worlds.protocol import World


class Newer(NamedTuple):
    """What a slot holds by now, in place of what was loaded from it before."""

    world: World
    contexts: dict[str, np.ndarray]
    steps: int


class Follower:
    """Watches the slot a dream came from. `news`: a sentence for whoever plays, empty where there is nothing to say."""

    def __init__(self, info: SlotInfo, device: str) -> None:
        self._info, self._device = info, device
        self._path = info.path
        self._passed = ""  # what was told already of a slot that cannot be followed
        self.news = ""

    @property
    def steps(self) -> int:
        """Training steps behind the model that is being dreamt."""
        return self._info.steps

    def newer(self) -> Newer | None:
        """The slot's newer model, or None: the same as before, or not to be had. Never raises for what a slot has
        become: a dream that is open goes on with the model it has."""
        self.news = ""
        try:
            info = slot_info(self._path)
            if _weights(info) == _weights(self._info):
                return None
            if not _fits(info, self._info):
                return self._stay(f"{self._info.name} is another model now; this dream goes on with the one it had")
            found = Newer(load_world(info, self._device), load_contexts(info), info.steps)
        except (WmplayError, OSError):
            return self._stay(f"{self._info.name} cannot be read any more; this dream goes on with the model it has")
        self._info, self._passed = info, ""
        self.news = f"newer weights: {info.steps:,} steps"
        return found

    def _stay(self, sentence: str) -> Newer | None:
        """Stay with the model there is, and tell why once."""
        if sentence != self._passed:
            self.news = self._passed = sentence
        return None


def _weights(info: SlotInfo) -> str:
    return str(info.files.get("world.safetensors", {}).get("sha256", ""))


def _fits(new: SlotInfo, old: SlotInfo) -> bool:
    """Whether states of one are states of the other: bookmarks of the old model may still be recalled."""
    return (new.family, new.config, new.game_params, new.observation, new.action) == (
        old.family, old.config, old.game_params, old.observation, old.action,
    )  # fmt: skip
