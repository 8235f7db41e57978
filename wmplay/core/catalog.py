"""What there is: games, families of world models, presets and players, as plain data with lazy import targets."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wmplay.core.errors import NotFoundError

PRESETS = ("tiny", "small", "base")


@dataclass(frozen=True)
class Game:
    """A game as wmplay knows it before making it.

    `params` go to the environment's constructor; `draw` names the function that turns a vector state into frames;
    `truth` names what can be read off a frame (`board`, `road`, `pole`) or is the state itself (`state`);
    `players` are the agents that make its training data, `expert` the one that plays well; `family` is the world model
    it is trained with where the user names none; `minutes` the budget on two cores that makes it worth playing, and
    `frames` what the preset `small` collects for it where that is not the usual number; `where` names, for parameters
    that make another game of it when they are true, the fields of this class that are then different.
    """

    id: str
    short: str
    title: str
    observation: str
    actions: str
    fps: int
    frame: tuple[int, int] = (64, 64)
    params: dict[str, Any] = field(default_factory=dict)
    draw: str | None = None
    truth: str | None = None
    players: tuple[str, ...] = ("random", "persistent")
    expert: str | None = None
    warmup: int = 0
    horizon: int = 200
    family: str | None = None
    minutes: float = 10.0
    frames: int | None = None
    where: dict[str, dict[str, Any]] = field(default_factory=dict)

    def having(self, params: Mapping[str, Any]) -> Game:
        """This game with these parameters over its own, and with all that they make different about it."""
        settings, usual = {**self.params, **params}, builtin_game(self.id) or self
        changed: dict[str, Any] = {}
        for name, different in self.where.items():
            changed |= different if settings.get(name) else {key: getattr(usual, key) for key in different}
        return dataclasses.replace(self, params=settings, **changed)

    @property
    def slug(self) -> str:
        """The folder name of the game's episodes."""
        return self.short or re.sub(r"[^A-Za-z0-9._-]+", "__", self.id)


GAMES: tuple[Game, ...] = (
    Game(
        "wmplay/GridWorld-v0", "grid_world", "Grid World", "frame", "Discrete(4)", fps=8,
        truth="board", players=("random", "walker"), expert="walker", horizon=100, family="tokens",
        minutes=1.0,
    ),
    Game(
        "wmplay/CarRacing-v0", "car_racing", "Car Racing", "frame", "Box(3)", fps=25,
        params={"action_repeat": 2}, truth="road", players=("persistent", "driver"), expert="driver",
        warmup=30, horizon=500, family="canvas", minutes=15.0, frames=80_000,
    ),
    Game(
        "wmplay/CartPole-v0", "cartpole", "Cart Pole", "vector", "Discrete(2)", fps=50,
        draw="envs.cartpole:draw_state", truth="state", players=("random", "balancer"), expert="balancer", horizon=500,
        family="state_vae", minutes=0.5, where={"pictures": {
            "observation": "frame", "draw": None, "truth": "pole", "family": "rssm", "minutes": 15.0,
        }},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Family:
    """An architecture of world model: where its class is, and which observations it can learn (`frame`, `vector`)."""

    name: str
    title: str
    target: str
    observations: tuple[str, ...]


FAMILIES: tuple[Family, ...] = (
    Family("state_vae", "State VAE: predicts the next state vector", "wmplay.worlds.state_vae:StateVae", ("vector",)),
    Family("vae_mdn", "World Models 2018: VAE + MDN-LSTM", "wmplay.worlds.vae_mdn:VaeMdn", ("frame",)),
    Family("vqvae_mdn", "VQ-VAE + MDN-LSTM", "wmplay.worlds.vqvae_mdn:VqvaeMdn", ("frame",)),
    Family("tokens", "Grid of codes, predicted in parallel", "wmplay.worlds.tokens:Tokens", ("frame",)),
    Family("rssm", "DreamerV3's recurrent state-space model", "wmplay.worlds.rssm:Rssm", ("frame", "vector")),
    Family("canvas", "Canvas: a map, a camera and a painter", "wmplay.worlds.canvas:Canvas", ("frame",)),
)

# name -> class that follows wmplay.agents.protocol.Agent, built as
# Class(game: Game, action: ActionSpec, noise=..., seed=...)
PLAYERS: dict[str, str] = {
    "random": "wmplay.agents.players:RandomPlayer",
    "persistent": "wmplay.agents.players:PersistentPlayer",
    "walker": "wmplay.agents.players:GridWalker",
    "wanderer": "wmplay.agents.players:GridWanderer",
    "balancer": "wmplay.agents.players:CartBalancer",
    "driver": "wmplay.agents.scripted_car:CarDriver",
}


def family(name: str) -> Family:
    """The family with this name; raises NotFoundError that lists what there is."""
    for entry in FAMILIES:
        if entry.name == name:
            return entry
    raise NotFoundError(f"There is no family {name!r}; choose one of {', '.join(f.name for f in FAMILIES)}.")


def builtin_game(name: str) -> Game | None:
    """Our own game with this short name or id, or None."""
    return next((g for g in GAMES if name in (g.short, g.id)), None)


def load(target: str) -> Any:
    """Import the object that a `module:name` target of this catalog points to."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
