"""A session's play as training data: one stream of episodes into a dataset, on disk within a second."""

from __future__ import annotations

from typing import Any

import numpy as np

from wmplay.core import paths
from wmplay.core.catalog import Game
from wmplay.core.episodes import Recorder
from wmplay.core.spaces import ActionSpec, ObservationSpec


class HumanRecording:
    """Adds what a session plays to the dataset `name` of a game. Raises WmplayError if the dataset does not take it."""

    def __init__(
        self, name: str, game: Game, params: dict[str, Any], observation: ObservationSpec, action: ActionSpec
    ) -> None:
        self.name = paths.check_name(name, "dataset")
        folder = paths.episodes_dir(game.slug) / name
        self._recorder = Recorder(folder, game.short or game.id, params, observation, action)

    @property
    def steps(self) -> int:
        """How many steps it has taken in so far."""
        return self._recorder.steps

    def begin(self, observation: np.ndarray, seed: int | None, player: str) -> None:
        """An episode starts with this observation; an unfinished one before it counts as cut off."""
        self._recorder.begin(0, observation, seed, player)

    def step(
        self, observation: np.ndarray, action: np.ndarray, reward: float, terminated: bool, truncated: bool
    ) -> None:
        """One step, as the recorder keeps it: what was done and what arrived."""
        self._recorder.step(0, observation, action, reward, terminated, truncated)

    def close(self) -> None:
        """Bring everything to disk."""
        self._recorder.close()
