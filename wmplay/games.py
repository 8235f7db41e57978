"""The one door to real games: made strict, single or batched, with the plain specs the other rooms read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from envs.errors import GameError, MissingGame, ParameterError
from wmplay.agents.protocol import Agent
from wmplay.core.catalog import PLAYERS, Game, load
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.slots import SlotInfo, find_slot
from wmplay.core.spaces import ActionSpec, ObservationSpec, space_of
from wmplay.core.variants import DATA_ONLY
from wmplay.registration import register


def find(game: Game | str) -> Game:
    """The game with this short name, id or saved variant name; a Game is passed through."""
    if isinstance(game, Game):
        return game
    from envs.adapters import near_ids
    from wmplay.core.variants import find_game

    try:
        return find_game(game)
    except NotFoundError:
        return find_game(game, near_ids(game))  # the same error, with the ids of Gymnasium that may have been meant


def of_slot(slot: SlotInfo | str | Path) -> Game:
    """The game a slot was trained on, with its parameters, whether or not its name is known on this machine."""
    info = slot if isinstance(slot, SlotInfo) else find_slot(slot)
    try:
        game = find(info.game)
    except NotFoundError:
        game = find(str(info.meta.get("game_id", info.game)))
    # How fast it is shown is known of a stranger only where its env was made: when the slot was begun.
    fps = info.meta.get("fps")
    fps = fps if isinstance(fps, int) and fps > 0 else game.fps
    return dataclasses.replace(game.having(info.game_params), fps=fps)


def make(
    game: Game | str, /, *, render_mode: str | None = None, seed: int | None = None, **params: Any
) -> gymnasium.Env:
    """The game as a Gymnasium env whose observation is uint8 [H, W, 3] or float32 [S].

    `params` override the game's own; `seed` seeds the action space. Raises WmplayError if it cannot be made.
    """
    game = find(game)
    if game.id.startswith(DATA_ONLY):
        raise WmplayError(f"{game.short} is recorded data and no game to play; train on it, and play in its dream.")
    register()
    settings = {**game.params, **params}
    try:
        if _ours(game):
            env = gymnasium.make(game.id, render_mode=render_mode, disable_env_checker=True, **settings)
        else:
            from envs.adapters import make_game

            env = make_game(game.id, render_mode=render_mode, **settings)
    except GameError as why:
        known = NotFoundError if isinstance(why, MissingGame) else WmplayError
        kind = UsageError if isinstance(why, ParameterError) else known
        raise kind(str(why)) from why
    except (gymnasium.error.Error, ValueError, TypeError, ImportError, AttributeError) as why:
        raise _unmade(game, why, settings) from why
    specs(env)
    if seed is not None:
        env.action_space.seed(seed)
    return env


def make_vec(game: Game | str, num_envs: int, /, *, apart: bool = False, **params: Any) -> gymnasium.vector.VectorEnv:
    """Many games that reset only when told (`options={"reset_mask": bool [N]}`), so every episode has its seed.

    apart: slow games of others may run in processes of their own; the data are the same, their infos are empty then.
    """
    game = find(game)
    register()
    settings = {**game.params, **params}
    if not _ours(game):
        return _foreign_vec(game, num_envs, apart, settings)
    try:
        return gymnasium.make_vec(game.id, num_envs, autoreset_mode="DISABLED", **settings)
    except (gymnasium.error.Error, ValueError, TypeError, ImportError, AttributeError) as why:
        raise _unmade(game, why, settings) from why


def _foreign_vec(game: Game, num_envs: int, apart: bool, settings: Mapping[str, Any]) -> gymnasium.vector.VectorEnv:
    if apart and num_envs > 1:
        from envs.adapters import ApartGames, cores, make_game, worth_it

        single = make(game, **settings)
        try:
            if worth_it(single):
                return ApartGames([partial(make_game, game.id, **settings)] * num_envs, single, cores())
        finally:
            single.close()
    makers = [partial(make, game, **settings)] * num_envs
    return gymnasium.vector.SyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED)


def _unmade(game: Game, why: Exception, settings: Mapping[str, Any]) -> WmplayError:
    """The sentence for a game that cannot be made like this."""
    from envs.adapters import unknown_parameter

    name = game.short or game.id
    if unknown := unknown_parameter(why, name, game.id, settings):
        return UsageError(unknown)
    return WmplayError(f"The game {name} cannot be made: {why}")


def specs(env: Any) -> tuple[ObservationSpec, ActionSpec]:
    """What one env (or one of a VectorEnv) shows and accepts. Raises WmplayError if wmplay cannot learn it."""
    seen = getattr(env, "single_observation_space", env.observation_space)
    acts = getattr(env, "single_action_space", env.action_space)
    return observation_spec(seen), action_spec(acts)


def observation_spec(space: spaces.Space) -> ObservationSpec:
    """uint8 Box [H, W, 3] or float32 Box [S] as a spec; anything else is refused in words."""
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[2] == 3:
        return ObservationSpec("frame", tuple(space.shape))
    if isinstance(space, spaces.Box) and space.dtype == np.float32 and len(space.shape) == 1:
        return ObservationSpec("vector", tuple(space.shape), tuple(space.low.tolist()), tuple(space.high.tolist()))
    raise WmplayError(f"wmplay learns uint8 frames [H, W, 3] or float32 vectors [S]; this game shows {space}.")


def action_spec(space: spaces.Space) -> ActionSpec:
    """Discrete, MultiDiscrete or one-dimensional finite Box as a spec; anything else is refused in words."""
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return ActionSpec("discrete", n=int(space.n))
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        return ActionSpec("multi", counts=tuple(int(n) for n in space.nvec))
    if isinstance(space, spaces.Box) and len(space.shape) == 1 and space.is_bounded():
        return ActionSpec("box", low=tuple(space.low.tolist()), high=tuple(space.high.tolist()))
    raise WmplayError(f"wmplay acts through Discrete, MultiDiscrete or bounded Box actions; this game has {space}.")


def pace(env: Any, game: Game) -> int:
    """Steps a second at which a game is shown: what its env says, which knows of its parameters, else the game's."""
    return max(1, round(float(env.metadata.get("render_fps") or game.fps)))


def to_space(spec: ObservationSpec | ActionSpec) -> spaces.Space:
    """The Gymnasium space of a spec."""
    return space_of(spaces, spec)


def drawing(game: Game) -> Callable[[np.ndarray], np.ndarray]:
    """The function float32 [B, S] -> uint8 [B, H, W, 3] that draws the states of a vector game: its own, else bars."""
    draw: Callable[[np.ndarray], np.ndarray] = load(game.draw or "envs.bars:draw_bars")
    return draw


def make_player(
    name: str, game: Game | str, action: ActionSpec, noise: float | None = None, seed: int | None = None
) -> Agent:
    """The player of this name, ready for this game. NotFoundError if there is none, UsageError if it plays others."""
    if name not in PLAYERS:
        raise NotFoundError(f"There is no player {name!r}; choose one of {', '.join(PLAYERS)}.")
    player, found = load(PLAYERS[name]), find(game)
    if player.plays not in found.id:
        raise UsageError(
            f"The player {name} plays {player.plays} and not {found.short or found.id}; "
            f"choose one of {', '.join(found.players)}."
        )
    return player(found, action, noise=noise, seed=seed)


def parameters(game: Game | str) -> list[dict[str, Any]]:
    """What can be set about a game: `name`, `type` in words, `default` (the game's own settings included).

    Empty for mere data. Raises WmplayError if there is no such game, or its class cannot be loaded.
    """
    game = find(game)
    if game.id.startswith(DATA_ONLY):
        return []
    from envs.adapters import game_parameters

    register()
    try:
        found = game_parameters(game.id)
    except GameError as why:
        raise (NotFoundError if isinstance(why, MissingGame) else WmplayError)(str(why)) from why
    return [{"name": p.name, "type": p.kind, "default": game.params.get(p.name, p.default)} for p in found]


def _ours(game: Game) -> bool:
    return game.id.startswith("wmplay/")
