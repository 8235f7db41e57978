"""Staying power: is a dream still the game after 1,000 steps?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wmplay import games
from wmplay.core import atomic, paths
from wmplay.core.catalog import Game
from wmplay.evaluate import truths
from wmplay.evaluate.lingering import Errands
from wmplay.evaluate.pixel_driver import PixelDriver
from wmplay.evaluate.replay import Exactness, replayed
from wmplay.evaluate.rollout import begin, observations
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.statistics import Figure, share_figure
from wmplay.evaluate.subject import Subject

STEPS = 1000
# A dream's figure is read off at these steps; the last one is the card's.
MARKS = (50, 100, 250, 500, 1000)
KEYS = ("expert", "random")

Keys = Callable[[NDArray[Any]], NDArray[Any]]


def can_measure(game: Game) -> bool:
    """Whether it can be told, for this game, that a picture still is the game."""
    return game.truth in ("board", "road", "state", "pole")


def still_the_game(game: Game, seen: NDArray[Any]) -> NDArray[np.bool_]:
    """bool [N]: a well-formed board with one agent; a car on a road; a pole that stands."""
    if game.truth == "board":
        return truths.well_formed(seen, truths.board_size(game.params))
    if game.truth == "road":
        return truths.car_on_road(seen)
    if game.truth == "pole":
        return truths.pole_stands(seen)
    cart, pole = np.abs(seen[:, 0]) < truths.CART_LIMIT, np.abs(seen[:, 2]) < truths.POLE_LIMIT
    return cart & pole & np.isfinite(seen).all(axis=1)


def keys_of(game: Game, kind: str, action: Any, count: int, seed: int) -> Keys | None:
    """Who holds the keys, by sight alone, for `count` dreams; None where that makes no sense.

    On a board nobody steps on an end; CarRacing's expert steers by the road it sees; a random CartPole falls for real.
    """
    pole = game.truth in ("state", "pole")
    if pole and kind == "random":
        return None
    if game.truth == "road" and kind == "expert":
        return PixelDriver(action).act
    player = games.make_player(
        (game.expert or "random") if kind == "expert" else game.players[0],
        game,
        action,
        noise=0.0 if pole else None,  # with some, a pole falls for real now and then
        seed=seed,
    )
    player.reset(count, seed)
    errands, state = Errands(seed), {"first": True}

    def act(seen: NDArray[Any]) -> NDArray[Any]:
        first = np.full(count, state["first"])
        state["first"] = False
        actions = player.act(seen, {}, first)
        if game.truth == "board":
            actions = errands.instead(truths.boards(seen, truths.board_size(game.params)), actions)
        return actions

    return act


@torch.inference_mode()
def measure_staying(
    subject: Subject,
    starts: Starts,
    kind: str,
    steps: int = STEPS,
    temperature: float = 1.0,
    seed: int = 0,
    tick: Callable[[float], None] | None = None,
) -> dict[str, Any] | None:
    """Share of dreams that still show the game after `steps` steps (and on the way), under an expert's or random keys.

    `exact`, on boards without chance: share of the dreams that showed the game's own board at every step so far, of
    those `exact_n` that can be told (see `Exactness`); None at steps where there are none.
    `real`: the same keys in the real game from the same starts, where one can leave the road as well. None where the
    keys make no sense. The model's ends are passed over: what is asked is whether the picture holds.
    """
    world, device = subject.world, subject.place
    keys = keys_of(subject.game, kind, world.action, starts.count, seed)
    if keys is None:
        return None
    generator = torch.Generator(device=device).manual_seed(seed)
    state = begin(world, starts, device, generator)
    seen = observations(world, state)
    shares: dict[str, float] = {}
    share: Figure = None
    exact: dict[str, Figure] = {}
    counted: dict[str, int] = {}
    with _beside(subject.game, starts) as beside:
        for k in range(1, steps + 1):
            actions = np.ascontiguousarray(keys(seen))
            state, _, _ = world.step(state, torch.as_tensor(actions).to(device), temperature, generator)
            seen = observations(world, state)
            if beside is not None:
                beside.step(actions, seen)
            if k in MARKS or k == steps:
                good = still_the_game(subject.game, seen)
                share = share_figure(int(good.sum()), starts.count)
                shares[str(k)] = float(good.mean())
                if beside is not None:
                    right, counted[str(k)] = beside.share()
                    exact[str(k)] = share_figure(right, counted[str(k)])
            if tick and k % 20 == 0:
                tick(k / steps)
    real = _real(subject.game, starts, kind, world.action, steps, seed)
    return {
        "n": starts.count,
        "steps": steps,
        "temperature": temperature,
        "share": share,
        "along": shares,
        "exact": exact or None,
        "exact_n": counted or None,
        "real": real,
    }


@contextmanager
def _beside(game: Game, starts: Starts) -> Iterator[Exactness | None]:
    """The real games to hold the boards against; None where there are none, or where chance has a say in them."""
    if game.truth != "board" or float(game.params.get("slip", 0.0)) > 0.0:
        yield None
        return
    with replayed(game, starts) as replay:
        yield Exactness(game, replay)


def _real(game: Game, starts: Starts, kind: str, action: Any, steps: int, seed: int) -> float | None:
    """Share of the real games that still are on the road; None for games where the answer is one by their rules."""
    if game.truth != "road":
        return None
    cache = paths.cache_dir() / "evaluate" / f"{game.slug}-{starts.digest()}-staying-{kind}-{steps}.json"
    if cache.exists():
        return float(atomic.read_json(cache)["share"])
    keys = keys_of(game, kind, action, starts.count, seed)
    assert keys is not None
    with replayed(game, starts) as replay:
        for _ in range(steps):
            replay.step(keys(replay.seen))
        share = float(still_the_game(game, replay.seen).mean())
    atomic.write_json(cache, {"share": share})
    return share
