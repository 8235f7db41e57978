"""CMA-ES (Hansen 2016) by the package `cma`, with a state that needs no pickle: the fitness of every generation so far.

What CMA-ES is after G generations follows from its settings, its random numbers and the G rows of fitness. So that is
what is stored, and loading repeats the generations' arithmetic (no rollouts): exact, small and readable.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# From this many parameters on only variances are adapted, not covariances (sep-CMA-ES, Ros and Hansen 2008): the full
# matrix learns next to nothing in the generations we can afford, and costs D³.
SEPARABLE = 200


class Evolution:
    """Maximises a fitness over vectors of D parameters, P candidates a generation."""

    def __init__(self, size: int, population: int, sigma: float = 0.1, seed: int = 0) -> None:
        import cma

        self.size, self.population = size, population
        self._random = np.random.default_rng(seed)
        # seed nan: cma leaves numpy's global generator alone; all its randomness comes through `randn`.
        options = {
            "popsize": population, "seed": math.nan, "randn": self._normal, "verbose": -9, "verb_log": 0,
            "verb_disp": 0, "CMA_diagonal": size >= SEPARABLE,
        }  # fmt: skip
        self._search: Any = cma.CMAEvolutionStrategy(np.zeros(size), sigma, options)
        self._asked: list[np.ndarray] = []
        self.history: list[np.ndarray] = []
        self.best, self.best_fitness = np.zeros(size), -math.inf

    def _normal(self, *shape: int) -> np.ndarray:
        return self._random.standard_normal(shape)

    @property
    def generation(self) -> int:
        return len(self.history)

    @property
    def mean(self) -> np.ndarray:
        """The centre of the search, float64 [D]: what the population agrees on, better than its luckiest member."""
        return np.array(self._search.mean, np.float64)

    @property
    def sigma(self) -> float:
        """The step size of the search."""
        return float(self._search.sigma)

    def ask(self) -> np.ndarray:
        """This generation's candidates, float64 [P, D]; the same ones until `tell`."""
        if not self._asked:
            self._asked = self._search.ask()
        return np.stack(self._asked)

    def tell(self, fitness: np.ndarray) -> None:
        """Fitness [P] of the candidates, higher is better; the next `ask` is a new generation."""
        candidates = self.ask()
        values = np.asarray(fitness, np.float64)
        if values.shape != (self.population,) or not np.isfinite(values).all():
            raise ValueError(f"a fitness for each of the {self.population} candidates is needed, all finite")
        self._search.tell(self._asked, (-values).tolist())
        self._asked = []
        self.history.append(values)
        top = int(values.argmax())
        if values[top] > self.best_fitness:
            self.best, self.best_fitness = candidates[top].copy(), float(values[top])

    def state(self) -> np.ndarray:
        """Fitness of every generation so far, float64 [G, P]."""
        return np.stack(self.history) if self.history else np.zeros((0, self.population))

    def load_state(self, history: np.ndarray) -> None:
        """Become what the search was when `state` gave this; only for one that has not been told anything yet."""
        if self.history:
            raise ValueError("this search has begun already")
        for values in history:
            self.ask()
            self.tell(values)
