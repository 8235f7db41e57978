"""C of World Models, evolved by CMA-ES: in the dream, a generation in one batch, or in the real game, on a pool."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from wmplay.agents.evolution import Evolution
from wmplay.agents.linear import LinearPolicy
from wmplay.devices import Precision
from wmplay.dreams.dreamer import Dreamer
from wmplay.dreams.precision import precision
from wmplay.training.phases import Phase, PhaseState
from wmplay.training.pool import executor
from wmplay.training.practice import Starts, begin_all, dream_returns, game_returns

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop

# Candidates and rollouts of each by preset; 64 candidates and 16 rollouts are the paper's.
POPULATION = {"tiny": (8, 2), "small": (64, 16), "base": (64, 16)}
# In the game rollouts cost a thousand times more than in a dream.
GAME_ROLLOUTS = {"tiny": 1, "small": 4, "base": 8}
# Steps of a rollout: longer dreams are of what the model made up, not of the game.
LONGEST = {"tiny": 20, "small": 250, "base": 500}
# Candidates that one piece of work plays in the real game.
PIECE = 4
SIGMA = 0.1


class EvolutionPhase(Phase):
    """One unit of work: a generation in the dream, or the next finished piece of one in the game."""

    name = "agent"

    def __init__(self, generations: int | None) -> None:
        self.generations = generations

    def start(self, shop: Workshop) -> None:
        self._shop = shop
        world, preset = shop.world.eval().requires_grad_(False), shop.info.preset
        candidates, rollouts = POPULATION.get(preset, POPULATION["small"])
        self._in_game = shop.settings.agent_in == "game"
        self._rollouts = GAME_ROLLOUTS.get(preset, 4) if self._in_game else rollouts
        self._horizon = min(shop.game.horizon, LONGEST.get(preset, 250))
        self._policy = LinearPolicy(world.features_size, world.action)
        self._search = Evolution(self._policy.size, candidates, SIGMA, seed=shop.settings.seed)
        self._dreamer = Dreamer(world, {}, shop.device)
        self._starts = Starts(shop.datasets(), self._rollouts, shop.settings.seed)
        if not self._in_game and shop.asked != "float32":
            # Dreams to measure, from starts of their own: those of the search go on where they are.
            begin_all(self._dreamer, candidates, Starts(shop.datasets(), self._rollouts, shop.settings.seed).draw())
            self._dreamer.precision = precision(self._dreamer, shop.asked)
        self._fitness = np.full(candidates, np.nan)
        self._pool: Executor | None = executor() if self._in_game else None
        self._pieces: dict[Future[np.ndarray], slice] = {}
        shop.say(f"evolving a linear controller of {self._policy.size} parameters in the {shop.settings.agent_in}")

    @property
    def progress(self) -> float:
        if self.generations is not None:
            return min(1.0, self._search.generation / max(1, self.generations))
        return min(1.0, self.used / self.budget) if self.budget else 1.0

    @property
    def count(self) -> int:
        return self._search.generation

    def step(self) -> dict[str, Tensor | float]:
        candidates = self._search.ask()
        if self._pool is None:
            seed = self._shop.settings.seed * 100_003 + self._search.generation
            returns = dream_returns(self._dreamer, self._policy, candidates, self._starts.draw(), self._horizon, seed)
            self._fitness = returns.mean(1)
        else:
            self._advance(candidates, self._pool)
        self.frames += self._rollouts * self._horizon * (len(candidates) if self._pool is None else PIECE)
        if np.isnan(self._fitness).any():
            return {}
        return self._generation()

    def _advance(self, candidates: np.ndarray, pool: Executor) -> None:
        """Hand out this generation's missing pieces and wait for one of them, a second at most."""
        if not self._pieces:
            base = self._search.generation * self._rollouts
            seeds = [base + r for r in range(self._rollouts)]
            for begin in range(0, len(candidates), PIECE):
                part = slice(begin, begin + PIECE)
                if np.isnan(self._fitness[part]).any():
                    work = (str(self._shop.path), self._policy.to_json(), candidates[part], seeds, self._horizon)
                    self._pieces[pool.submit(game_returns, *work)] = part
        done, _ = wait(self._pieces, timeout=1.0, return_when=FIRST_COMPLETED)
        for future in done:
            self._fitness[self._pieces.pop(future)] = future.result().mean(1)

    def _generation(self) -> dict[str, Tensor | float]:
        """All candidates are judged: on to the next generation, the agent of this one ready to be published."""
        fitness, self._fitness = self._fitness, np.full_like(self._fitness, np.nan)
        self._search.tell(fitness)
        parameters = torch.from_numpy(self._search.mean.astype(np.float32))
        self._shop.files["agent.safetensors"] = save({"parameters": parameters})
        self._shop.extra["agent"] = {
            **self._policy.to_json(),
            "method": "evolution",
            "trained_in": self._shop.settings.agent_in,
            "generations": self._search.generation,
            "return": float(fitness.mean()),
        }
        return {"return": float(fitness.mean()), "best": float(fitness.max()), "sigma": self._search.sigma}

    def state(self) -> PhaseState:
        numbers: dict[str, Any] = {
            "starts": self._starts.state(), "frames": self.frames, "precision": self._dreamer.precision.to_json()
        }  # fmt: skip
        history = torch.from_numpy(self._search.state())
        return PhaseState({"history": history, "fitness": torch.from_numpy(self._fitness.copy())}, numbers)

    def load_state(self, state: PhaseState) -> None:
        self._search.load_state(state.tensors["history"].numpy())
        self._fitness = state.tensors["fitness"].numpy().copy()
        self._starts.load_state(state.numbers["starts"])
        self.frames = state.numbers["frames"]
        self._dreamer.precision = Precision.from_json(state.numbers.get("precision", {}))

    def finish(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
