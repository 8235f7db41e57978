"""A controller learned by policy gradient, in batched dreams or in the real game."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save
from torch import Tensor

from wmplay.agents.policy_gradient import ActorCritic, Experience, learn
from wmplay.dreams.dreamer import Dreamer
from wmplay.training.checkpoint import portable
from wmplay.training.ground import DreamGround, GameGround, Ground
from wmplay.training.phases import Phase, PhaseState
from wmplay.training.practice import Starts

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop

# Streams at once, steps between updates, hidden units, by preset.
SIZES = {"tiny": (8, 8, 32), "small": (128, 16, 256), "base": (512, 16, 512)}
LEARNING_RATE = 5e-4
LONGEST = 200


class GradientPhase(Phase):
    """One unit of work: T steps of N streams and the update they allow."""

    name = "agent"

    def __init__(self, updates: int | None) -> None:
        self.updates = updates
        self._done = 0
        self._return = 0.0

    def start(self, shop: Workshop) -> None:
        self._shop = shop
        world, seed = shop.world.eval().requires_grad_(False), shop.settings.seed
        self._streams, self._steps, hidden = SIZES.get(shop.info.preset, SIZES["small"])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = ActorCritic(world.features_size, world.action, hidden, world.features_grid)
        self._model = model.to(shop.device.torch)
        self._optimiser = torch.optim.Adam(self._model.parameters(), LEARNING_RATE)
        self._generator = shop.device.generator(seed + 1)
        if shop.settings.agent_in == "game":
            self._ground: Ground = GameGround(world, shop.game, self._streams, seed)
        else:
            starts = Starts(shop.datasets(), self._streams, seed)
            self._ground = DreamGround(Dreamer(world, {}, shop.device), starts, min(LONGEST, shop.game.horizon), seed)
        self._running = torch.zeros(self._streams, device=shop.device.torch)
        shop.say(f"learning a controller by policy gradient in the {shop.settings.agent_in}")

    @property
    def progress(self) -> float:
        if self.updates is not None:
            return min(1.0, self._done / max(1, self.updates))
        return min(1.0, self.used / self.budget) if self.budget else 1.0

    @property
    def count(self) -> int:
        return self._done

    def step(self) -> dict[str, Tensor | float]:
        self._ground.refresh()
        metrics = learn(self._model, self._optimiser, self._gather(), self._generator)
        self._done += 1
        self.frames += self._streams * self._steps
        self._shop.files["agent.safetensors"] = save(portable(self._model.state_dict()))
        self._shop.extra["agent"] = {
            "kind": self._model.kind,
            "features": self._model.features,
            "hidden": self._model.hidden,
            "grid": self._model.grid,
            "squash": list(self._model.squash),
            "method": "policy_gradient",
            "trained_in": self._shop.settings.agent_in,
            "updates": self._done,
            "return": self._return,
        }
        return {**metrics, "return": self._return}

    @torch.no_grad()
    def _gather(self) -> Experience:
        """T steps of every stream under the present policy."""
        rows: list[tuple[Tensor, ...]] = []
        values = []
        finished: list[Tensor] = []
        for _ in range(self._steps):
            features = self._ground.features()
            raw, value = self._model(features)
            choice, action = self._model.draw(raw, self._generator)
            chance, _ = self._model.judge(raw, choice)
            reward, on = self._ground.step(action)
            reward, on = reward.clone(), on.clone()
            self._running += reward
            finished.append(self._running[on == 0])
            self._running = self._running * on
            rows.append((features, choice, chance, reward, on))
            values.append(value)
        values.append(self._model(self._ground.features())[1])
        ended = torch.cat(finished)
        if len(ended):
            # A slow average over the episodes that ended, for people to look at.
            self._return += min(1.0, 0.01 * len(ended)) * (float(ended.mean()) - self._return)
        features, choice, chance, reward, on = (torch.stack(column) for column in zip(*rows, strict=True))
        return Experience(features, choice, chance, reward, on, torch.stack(values))

    def state(self) -> PhaseState:
        ground = self._ground.state()
        tensors = {f"ground.{k}": v for k, v in ground.tensors.items()}
        tensors |= {f"model.{k}": v for k, v in self._model.state_dict().items()}
        for index, parameter in enumerate(self._model.parameters()):
            moments = self._optimiser.state.get(parameter, {})
            tensors |= {f"adam.{index}.{name}": value for name, value in moments.items()}
        tensors |= {"running": self._running, "generator": self._generator.get_state()}
        numbers: dict[str, Any] = {
            "done": self._done, "frames": self.frames, "return": self._return, "ground": ground.numbers
        }  # fmt: skip
        return PhaseState(tensors, numbers)

    def load_state(self, state: PhaseState) -> None:
        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in state.tensors.items() if k.startswith(prefix)}

        self._model.load_state_dict(part("model."))
        parameters = list(self._model.parameters())
        for name, value in part("adam.").items():
            index, _, field = name.partition(".")
            parameter = parameters[int(index)]
            self._optimiser.state[parameter][field] = value if field == "step" else value.to(parameter.device)
        self._running = state.tensors["running"].to(self._running.device)
        self._generator.set_state(state.tensors["generator"])
        numbers = state.numbers
        self._done, self.frames, self._return = numbers["done"], numbers["frames"], numbers["return"]
        self._ground.load_state(PhaseState(part("ground."), numbers["ground"]))

    def finish(self) -> None:
        self._ground.close()
