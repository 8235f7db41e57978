"""Opens sessions: a game or a dream by its name, with the right keys, agent and recording. Imports what they need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wmplay.core.catalog import PLAYERS, Game
from wmplay.core.errors import UsageError
from wmplay.core.spaces import ActionSpec
from wmplay.play.controls import Controls
from wmplay.play.engine import Settings
from wmplay.play.keys import game_keys
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
    """

    agent: str | None = None
    seed: int | None = None
    record: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    horizon: int | None = None
    device: str = "auto"


def open_game(name: str, wish: Wish) -> Session:
    """A session in a real game. Raises NotFoundError or WmplayError in words."""
    from wmplay import games
    from wmplay.play.recording import HumanRecording

    game = games.find(name)
    env = games.make(game, render_mode="rgb_array", seed=wish.seed, **wish.params)
    observation, action = games.specs(env)
    params = {**game.params, **wish.params}
    settings = Settings(
        title=game.title,
        fps=_fps(env, game),
        seed=wish.seed,
        agent_name=wish.agent or "",
        open_recording=lambda: HumanRecording(wish.record or "human", game, params, observation, action),
    )
    session = Session(env, controls_of(env, game, action, settings.fps), settings, agent_of(wish, game, action))
    if wish.record is not None:
        session.start_recording()
    return session


def open_dream(slot: str, wish: Wish) -> Session:
    """A session inside the dream of a slot. Nothing is recorded there: a dream is no data about its game."""
    if wish.record is not None:
        raise UsageError("A dream is not recorded: it would teach the next model its own mistakes.")
    from wmplay import games
    from wmplay.dreams import DreamEnv

    env = DreamEnv(slot, wish.horizon or ENDLESS, wish.temperature, wish.device, render_mode="rgb_array")
    _, action = games.specs(env)
    settings = Settings(f"{env.slot} · dream of {env.game.title}", env.game.fps, wish.seed, agent_name=wish.agent or "")
    controls = controls_of(None, env.game, action, settings.fps)
    return Session(env, controls, settings, agent_of(wish, env.game, action))


def _fps(env: gymnasium.Env, game: Game) -> float:
    """The game's own pace; for foreign games what their metadata says."""
    return float(game.fps if game.observation else env.metadata.get("render_fps") or game.fps)


def controls_of(env: gymnasium.Env | None, game: Game, action: ActionSpec, fps: float) -> Controls:
    """The keys of a game; without its env (a dream has no keys of its own) the game is asked where it can be made."""
    proposed = None
    if not game.id.startswith("wmplay/"):
        from envs.adapters import keys_of, propose_keys

        proposed = keys_of(game.id, **game.params) if env is None else propose_keys(env)
    return Controls(game_keys(game.id, action, proposed), action, fps)


def agent_of(wish: Wish, game: Game, action: ActionSpec) -> Agent | None:
    """The agent with this name: a player of the catalog, or the trained controller of a slot."""
    from wmplay import games

    if wish.agent is None:
        return None
    if wish.agent in PLAYERS:
        return games.make_player(wish.agent, game, action, seed=wish.seed)
    from wmplay.agents import make_agent

    return make_agent(wish.agent, device=wish.device)
