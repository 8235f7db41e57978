"""The gap: what an agent earns in the dream and what it earns in the game, from the same held-out starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wmplay import games
from wmplay.agents.protocol import Agent
from wmplay.core.catalog import Game
from wmplay.dreams import Dreamer
from wmplay.evaluate.replay import replayed
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.statistics import spread
from wmplay.evaluate.subject import Subject

# Players that act on what they see alone; CarRacing's driver reads the track, which a dream does not have.
SEEING = ("random", "persistent", "walker", "balancer")


Deciding = Callable[[Tensor], Tensor]


def who_plays(subject: Subject) -> tuple[str, Agent, Deciding | None]:
    """The slot's trained agent, else the game's expert where it plays by sight, else a random player: name, agent, and
    how the agent decides on latent features (None for players)."""
    if subject.info.agent and (subject.info.path / "agent.safetensors").exists():
        from wmplay.agents.controller import load_agent

        agent = load_agent(subject.info.path, subject.device.name)
        return f"the trained agent ({subject.info.agent.get('kind', '')})", agent, agent.decide
    game = subject.game
    name = game.expert if game.expert in SEEING else game.players[0]
    return f"the {name} player", games.make_player(name, game, subject.world.action, seed=0), None


def dream_returns(
    subject: Subject, agent: Agent, decide: Deciding | None, starts: Starts, steps: int, temperature: float, seed: int
) -> NDArray[np.float64]:
    """Sums of the rewards that the dream pays until it ends or for `steps` steps, float [N]."""
    part = starts.segment()
    contexts = {
        name: getattr(part, name).numpy() for name in ("observation", "action", "reward", "terminated", "first")
    }
    dreamer = Dreamer(subject.world, contexts, subject.device)
    dreamer.temperature = temperature
    dreamer.reset(starts.count, np.arange(starts.count), seed)
    agent.reset(starts.count, seed)
    total, alive = np.zeros(starts.count), np.ones(starts.count, np.bool_)
    first = np.ones(starts.count, np.bool_)
    for _ in range(steps):
        if decide is not None:
            actions = decide(dreamer.features()).cpu().numpy().astype(subject.world.action.dtype)
        else:
            actions = agent.act(dreamer.observe(), {}, first)
        first = np.zeros(starts.count, np.bool_)
        reward, end = dreamer.step(actions)
        total += np.where(alive, reward.float().cpu().numpy(), 0.0)
        alive &= ~dreamer.ended(end).cpu().numpy()
        if not alive.any():
            break
    return total


def game_returns(game: Game, agent: Agent, starts: Starts, steps: int, seed: int) -> NDArray[np.float64]:
    """Sums of the rewards the real game pays from the same starts on, float [N]: reset, led there, then the agent's."""
    with replayed(game, starts) as replay:
        agent.reset(starts.count, seed)
        total, first = np.zeros(starts.count), np.ones(starts.count, np.bool_)
        for _ in range(steps):
            replay.step(agent.act(replay.seen, replay.info, first))
            first = np.zeros(starts.count, np.bool_)
            total += replay.reward
            if replay.over.all():
                break
    return total


def measure_gap(subject: Subject, count: int, steps: int, seed: int = 0) -> dict[str, Any]:
    """Return in the dream (at temperature 1) and in the game, mean ± standard deviation over `count` episodes of at
    most `steps` steps from the same starts; `expert` is what the game's expert earns there, for scale."""
    starts = subject.regimes["player"]
    starts = starts.take(slice(0, min(count, starts.count)))
    name, agent, decide = who_plays(subject)
    dreamed = dream_returns(subject, agent, decide, starts, steps, 1.0, seed)
    played = game_returns(subject.game, agent, starts, steps, seed)
    expert = None
    if subject.game.expert is not None:
        player = games.make_player(subject.game.expert, subject.game, subject.world.action, noise=0.0, seed=seed)
        expert = spread(game_returns(subject.game, player, starts, steps, seed))
    return {"agent": name, "steps": steps, "dream": spread(dreamed), "game": spread(played), "expert": expert}
