"""One door for anybody's game: a Gymnasium id or a class of one's own becomes a strict env that wmplay can learn."""

from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

import envs
from envs.adapters.apart import ApartGames, worth_it
from envs.adapters.find import is_own_class, make_raw, near_ids, parameters
from envs.adapters.game import AdaptedGame, GameInfo, best_view, describe
from envs.adapters.keys import action_names, propose_keys
from envs.adapters.parameters import Parameter, known_parameters, unknown_parameter
from envs.autoreset import as_mode
from envs.errors import GameError
from envs.processes import cores

__all__ = [
    "ApartGames", "GameError", "GameInfo", "Parameter", "action_names", "cores", "describe", "game_parameters",
    "known_parameters", "make_game", "make_game_vec", "near_ids", "propose_keys", "unknown_parameter", "worth_it",
]  # fmt: skip

# A class of one's own that never says it is over is cut off after so many steps.
OWN_CLASS_STEPS = 1000


def make_game(
    spec: str,
    /,
    *,
    size: int = 64,
    seed: int | None = None,
    render_mode: str | None = None,
    observation: str = "auto",
    max_episode_steps: int | None = None,
    **params: Any,
) -> gymnasium.Env[Any, Any]:
    """Make any game: a Gymnasium id (`Acrobot-v1`, `ALE/Pong-v5`, `minigrid:MiniGrid-Empty-5x5-v0`) or `module:Class`.

    The env observes uint8 frames [size, size, 3] or a float32 vector [S] and acts by Discrete, MultiDiscrete or bounded
    float32 Box. observation: `auto` takes a picture observation, else the game's own drawing, else the numbers; `frame`
    and `vector` insist. `params` go to the game. Our own games are returned as they are.
    Raises GameError: one sentence on what is missing or wrong, and where.
    """
    own_class, ours = is_own_class(spec), spec.startswith(f"{envs.NAMESPACE}/")
    settings = dict(params)
    if max_episode_steps is not None and not own_class:
        settings["max_episode_steps"] = max_episode_steps
    env = make_raw(spec, render_mode, settings)
    if not ours:
        view = best_view(env, observation, spec)
        if view == "render" and env.render_mode != "rgb_array" and not own_class:
            env.close()
            env = make_raw(spec, "rgb_array", settings)
        if own_class:
            env = gymnasium.wrappers.TimeLimit(env, max_episode_steps or OWN_CLASS_STEPS)
        env = AdaptedGame(env, spec, view, size)
    if seed is not None:
        env.action_space.seed(seed)
        env.reset(seed=seed)
    return env


def game_parameters(spec: str) -> tuple[Parameter, ...]:
    """What may be given to `make_game` as `params`, and what it takes of its own. Raises GameError."""
    if spec.startswith(f"{envs.NAMESPACE}/"):
        return parameters(spec)
    theirs = parameters(spec)
    own = (
        Parameter("size", "whole number", 64),
        Parameter("observation", "auto or frame or vector", "auto"),
        Parameter(
            "max_episode_steps",
            "whole number",
            OWN_CLASS_STEPS if is_own_class(spec) else gymnasium.spec(spec).max_episode_steps,
        ),
    )
    names = {parameter.name for parameter in own}
    return (*(found for found in theirs if found.name not in names), *own)


def make_game_vec(
    spec: str,
    num_envs: int,
    *,
    asynchronous: bool = False,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **params: Any,
) -> VectorEnv[Any, Any, Any]:
    """Many at once: our own games by their batched form, others one after the other or in processes of their own."""
    mode = as_mode(autoreset_mode)
    envs.register()
    if spec.startswith(f"{envs.NAMESPACE}/"):
        return gymnasium.make_vec(spec, num_envs, autoreset_mode=mode, **params)
    makers = [partial(make_game, spec, **params) for _ in range(num_envs)]
    if asynchronous:
        return AsyncVectorEnv(makers, autoreset_mode=mode)
    return SyncVectorEnv(makers, autoreset_mode=mode)
