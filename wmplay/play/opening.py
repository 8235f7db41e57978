"""Opens sessions: a game or a dream by its name, with the right keys, agent and recording. Imports what they need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from envs.errors import GameError
from wmplay.core.catalog import PLAYERS, Game
from wmplay.core.errors import NotFoundError, UsageError, WmplayError
from wmplay.core.spaces import ActionSpec
from wmplay.play import kept_keys
from wmplay.play.controls import Controls
from wmplay.play.engine import Settings
from wmplay.play.keys import GameKeys, game_keys
from wmplay.play.session import Session

if TYPE_CHECKING:
    import gymnasium

    from wmplay.agents.protocol import Agent

# A dream that is played goes on until the model ends it: the limit is only there to be a number.
ENDLESS = 1_000_000


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line, the same for games and dreams.

    record: name of the dataset to record into from the start on; None records only on demand, into `human`.
    large: prefer a large drawing of the game to the frames it is learned from.
    """

    agent: str | None = None
    seed: int | None = None
    record: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    horizon: int | None = None
    device: str = "auto"
    large: bool = True


def open_game(name: str, wish: Wish) -> Session:
    """A session in a real game. Raises NotFoundError or WmplayError in words."""
    from wmplay import games
    from wmplay.play.recording import HumanRecording

    game = games.find(name)
    env = games.make(game, render_mode="rgb_array", seed=wish.seed, **wish.params)
    observation, action = games.specs(env)
    params = {**game.params, **wish.params}
    driver = wish.agent or game.expert
    settings = Settings(
        title=game.title,
        fps=games.pace(env, game),
        seed=wish.seed,
        agent_name=driver or "",
        drive=wish.agent is not None,
        large=wish.large,
        open_recording=lambda: HumanRecording(wish.record or "human", game, params, observation, action),
    )
    agent = agent_of(driver, game, action, wish)
    session = Session(env, controls_of(env, game, action, settings.fps), settings, agent)
    if wish.record is not None:
        session.start_recording()
    return session


def open_dream(slot: str, wish: Wish) -> Session:
    """A session inside the dream of a slot. Nothing is recorded there: a dream is no data about its game."""
    if wish.record is not None:
        raise UsageError("A dream is not recorded: it would teach the next model its own mistakes.")
    from wmplay import games
    from wmplay.core.slots import find_slot
    from wmplay.dreams import DreamEnv

    env = DreamEnv(slot, wish.horizon or ENDLESS, wish.temperature, wish.device, render_mode="rgb_array")
    game = env.game
    _, action = games.specs(env)
    driver = wish.agent or (slot if find_slot(slot).agent else game.expert)
    agent = agent_of(driver, game, action, wish)
    if agent is not None and (missing := _cannot_see(agent, env)):
        if wish.agent is not None:
            raise UsageError(f"{driver} reads {missing} from the real game, and a dream has only its picture.")
        agent = None
    title = f"{env.slot} · dream of {game.title}"
    settings = Settings(title, game.fps, wish.seed, agent_name=driver or "", drive=wish.agent is not None)
    return Session(env, controls_of(None, game, action, settings.fps), settings, agent)


def _cannot_see(agent: Agent, env: gymnasium.Env) -> str:
    """What an agent misses in this world's infos; empty if it can act here."""
    observation, info = env.reset(seed=0)
    agent.reset(1, 0)
    try:
        agent.act(observation[None], {key: np.asarray(value)[None] for key, value in info.items()}, np.array([True]))
    except KeyError as missing:
        return f"{missing.args[0]!r}"
    return ""


def controls_of(env: gymnasium.Env | None, game: Game, action: ActionSpec, fps: float) -> Controls:
    """The keys of a game, with what the person has changed; without its env, as for a dream, the game is asked."""
    return Controls(kept_keys.own(proposed_keys(env, game, action), game.id, action), action, fps)


def proposed_keys(env: gymnasium.Env | None, game: Game, action: ActionSpec) -> GameKeys:
    """The keys of a game before anybody changes them; something to play with where it cannot be made here."""
    if game.id.startswith("wmplay/"):
        return game_keys(game.id, action)
    from envs.adapters import action_names, propose_keys
    from wmplay import games

    made = env
    if made is None:
        try:
            made = games.make(game)
        except WmplayError:
            return game_keys(game.id, action)
    try:
        return game_keys(game.id, action, propose_keys(made), action_names(made))
    except GameError as why:
        raise WmplayError(str(why)) from why
    finally:
        if env is None:
            made.close()


def agent_of(name: str | None, game: Game, action: ActionSpec, wish: Wish) -> Agent | None:
    """The agent with this name: a player of the catalog, or the trained controller of a slot."""
    from wmplay import games

    if name is None:
        return None
    if name in PLAYERS:
        return games.make_player(name, game, action, seed=wish.seed)
    from wmplay.agents import make_agent

    try:
        agent = make_agent(name, wish.device)
    except NotFoundError as why:
        raise NotFoundError(f"{name!r} is no player ({', '.join(PLAYERS)}) and no slot: {why}") from why
    if agent.world.action != action:
        raise UsageError(f"The agent of {name} acts by {agent.world.action}; {game.title} takes {action}.")
    return agent
