"""Controllers: trained in the dream or in the game, saved with the slot, resumed exactly, playing both."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.training.helpers import Killed, kill_after, loop, order, same, weights
from wmplay import games
from wmplay.agents import make_agent
from wmplay.agents.protocol import Agent
from wmplay.core import slots
from wmplay.core.errors import WmplayError
from wmplay.dreams import DreamEnv

METHODS = ["evolution", "policy_gradient"]


# A policy gradient first reads recorded play (1), imitates it (2), then practises (3).
@pytest.mark.parametrize(("method", "after"), [("evolution", 3), ("policy_gradient", 2), ("policy_gradient", 5)])
def test_a_broken_off_agent_comes_out_the_same(home: Path, method: str, after: int) -> None:
    """Hours of learning must survive a power cut, exactly."""
    whole, settings = order("grid_world", "vae_mdn", "whole", agent=method, agent_steps=5, checkpoint_every=0.0)
    loop(whole, settings).run()
    broken, settings = order("grid_world", "vae_mdn", "broken", agent=method, agent_steps=5, checkpoint_every=0.0)
    first = loop(broken, settings)
    kill_after(first, "agent", after)
    with pytest.raises(Killed):
        first.run()
    loop(broken, settings).run()
    assert same(weights(whole, "agent.safetensors"), weights(broken, "agent.safetensors"))
    assert slots.read_slot(broken).agent == slots.read_slot(whole).agent


@pytest.mark.parametrize(("method", "after"), [("evolution", 3), ("policy_gradient", 5)])
def test_a_resumed_agent_practises_in_the_precision_it_began_with(home: Path, method: str, after: int) -> None:
    """A machine that has become busy would measure otherwise now, and the run would not be the unbroken one."""
    more = {"agent": method, "agent_steps": 5, "checkpoint_every": 0.0}
    whole, settings = order("grid_world", "vae_mdn", "whole", **more, precision="bf16")
    loop(whole, settings).run()
    broken, settings = order("grid_world", "vae_mdn", "broken", **more, precision="bf16")
    first = loop(broken, settings)
    kill_after(first, "agent", after)
    with pytest.raises(Killed):
        first.run()
    loop(broken, dataclasses.replace(settings, precision="float32")).run()
    assert same(weights(whole, "agent.safetensors"), weights(broken, "agent.safetensors"))
    assert slots.read_slot(broken).agent == slots.read_slot(whole).agent
    plain, settings = order("grid_world", "vae_mdn", "plain", **more, precision="float32")
    loop(plain, settings).run()
    # An evolution goes by ranks, which rounding may leave as they are; what the dreams paid it does not.
    assert slots.read_slot(plain).agent != slots.read_slot(whole).agent
    assert method == "evolution" or not same(weights(whole, "agent.safetensors"), weights(plain, "agent.safetensors"))


@pytest.mark.parametrize("method", METHODS)
def test_the_agent_plays_the_game_and_the_dream(home: Path, method: str) -> None:
    """`wmplay play --agent SLOT` and `wmplay dream SLOT --agent SLOT` need one agent that understands both."""
    path, settings = order("cartpole", "state_vae", "x", agent=method, agent_steps=2)
    loop(path, settings).run()
    agent = make_agent("x", device="cpu")
    assert isinstance(agent, Agent)
    for env in (games.make("cartpole"), DreamEnv("x", device="cpu")):
        agent.reset(1, seed=0)
        seen, _ = env.reset(seed=0)
        for step in range(5):
            action = agent.act(seen[None], {}, np.array([step == 0]))[0]
            assert env.action_space.contains(action)
            seen = env.step(action)[0]


@pytest.mark.parametrize("family", ["vqvae_mdn", "tokens"])
def test_an_agent_that_reads_the_grid_of_codes_comes_back_from_its_file(home: Path, family: str) -> None:
    """Saved without its shape, it could not be rebuilt."""
    path, settings = order("grid_world", family, "x", agent="policy_gradient", agent_steps=2)
    loop(path, settings).run()
    agent = make_agent("x", device="cpu")
    env = games.make("grid_world")
    agent.reset(1, seed=0)
    seen, _ = env.reset(seed=0)
    assert env.action_space.contains(agent.act(seen[None], {}, np.array([True]))[0])


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_practising_in_the_real_game(home: Path, method: str) -> None:
    """`--agent-in game` is how the paper's controller reached its score."""
    path, settings = order("cartpole", "state_vae", "x", agent=method, agent_steps=2, agent_in="game")
    assert loop(path, settings).run() == "done"
    agent = slots.read_slot(path).agent
    assert agent is not None
    assert agent["trained_in"] == "game"


def test_a_slot_without_an_agent_says_so(home: Path) -> None:
    path, settings = order("cartpole", "state_vae", "x")
    loop(path, settings).run()
    with pytest.raises(WmplayError, match="No agent was trained"):
        make_agent("x")
