"""Sessions in tiny worlds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.play.tiny import ACTION, KEYS, Clock, TinyGame
from wmplay.play.controls import Controls
from wmplay.play.engine import Settings
from wmplay.play.keys import GameKeys
from wmplay.play.session import Session


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_session(clock: Clock) -> Callable[..., Session]:
    """`open_session(env, agent=…, keys=…, **settings)`: a session in a tiny world at 10 ticks a second."""

    def build(env: Any = None, agent: Any = None, keys: GameKeys = KEYS, **settings: Any) -> Session:
        asked = {"title": "tiny", "fps": 10.0, "seed": 7, "clock": clock, "agent_name": "always" if agent else ""}
        return Session(env or TinyGame(), Controls(keys, ACTION, 10.0), Settings(**{**asked, **settings}), agent)

    return build
