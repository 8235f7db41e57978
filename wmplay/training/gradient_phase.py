"""A controller learned by imitation of recorded play and then by policy gradient, in batched dreams or in the game."""

from __future__ import annotations

import copy
import math
import time
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save
from torch import Tensor

from wmplay.agents.policy_gradient import DISCOUNT, ActorCritic, Experience, imitate, learn
from wmplay.devices import Precision
from wmplay.dreams.dreamer import Dreamer
from wmplay.training.checkpoint import portable
from wmplay.training.ground import DreamGround, GameGround, Ground
from wmplay.training.phases import Phase, PhaseState
from wmplay.training.practice import Starts
from wmplay.training.recorded import Recorded, best_played

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop

# Streams at once, steps between updates, hidden units, by preset.
SIZES = {"tiny": (8, 8, 32), "small": (256, 16, 256), "base": (512, 16, 512)}
# Where the learning rates of imitation and of practice begin; both fall in a straight line to a tenth.
IMITATION_RATE, PRACTICE_RATE = 1.5e-3, 5e-4
IMITATION_SHARE = 0.4
"""Part of the work in which the controller imitates the best recorded player before it practises by itself."""
LONGEST = 32
"""Steps after which a dream is left: in longer ones those who are stuck use up most of the time."""


class GradientPhase(Phase):
    """One unit of work: some recorded play read, or imitated; later T steps of N streams and the update they allow."""

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
        self._optimiser = torch.optim.Adam(self._model.parameters(), PRACTICE_RATE)
        self._generator = shop.device.generator(seed + 1)
        size = sum(p.numel() for p in model.parameters())
        self._precision = shop.precision_for(size, f"agent {model.features} {hidden} {model.grid}", self._trial)
        self._precision.apply()
        if shop.settings.agent_in == "game":
            self._ground: Ground = GameGround(world, shop.game, self._streams, seed)
        else:
            starts = Starts(shop.datasets(), self._streams, seed)
            dreamer, longest = Dreamer(world, {}, shop.device), min(LONGEST, shop.game.horizon)
            self._ground = DreamGround(dreamer, starts, longest, seed, shop.asked)
        self._running = torch.zeros(self._streams, device=shop.device.torch)
        example = best_played(shop.datasets())
        self._recorded = Recorded(world, example)
        shop.say(f"learning a controller: imitating {example.name}, then by policy gradient in the {self._place}")

    @property
    def _place(self) -> str:
        return self._shop.settings.agent_in

    def _trial(self, precision: Precision) -> float:
        """Seconds of the fastest of a few gradients on made-up features."""
        model = copy.deepcopy(self._model)
        features = torch.randn(64, model.features, device=self._shop.device.torch)
        precision.apply()
        best = math.inf
        for _ in range(6):
            begin = time.perf_counter()
            with precision.autocast(self._shop.device):
                loss = sum(part.square().mean() for part in model(features))
            assert isinstance(loss, Tensor)
            loss.backward()
            float(loss.detach())  # waits for a device that works on its own
            best = min(best, time.perf_counter() - begin)
        return best

    @property
    def progress(self) -> float:
        if self.updates is not None:
            return min(1.0, self._done / max(1, self.updates))
        return min(1.0, self.used / self.budget) if self.budget else 1.0

    @property
    def count(self) -> int:
        return self._done

    def step(self) -> dict[str, Tensor | float]:
        metrics: dict[str, Tensor | float] = {}
        if self.progress < IMITATION_SHARE:
            if not self._recorded.ready:
                self._recorded.read()
                return {}
            metrics.update(self._imitate())
        else:
            metrics.update(self._practise())
        self._done += 1
        self._shop.files["agent.safetensors"] = save(portable(self._model.state_dict()))
        self._shop.extra["agent"] = {
            "kind": self._model.kind,
            "features": self._model.features,
            "hidden": self._model.hidden,
            "grid": self._model.grid,
            "squash": list(self._model.squash),
            "method": "policy_gradient",
            "trained_in": self._place,
            "updates": self._done,
            "return": self._return,
        }
        return metrics

    def _imitate(self) -> dict[str, Tensor]:
        played, real = self._recorded.piece(self._generator)
        self._set_rate(IMITATION_RATE, self.progress / IMITATION_SHARE)
        self.frames += real.numel()
        with self._precision.autocast(self._shop.device):
            return imitate(self._model, self._optimiser, played, real, self._generator)

    def _practise(self) -> dict[str, Tensor | float]:
        self._recorded.forget()
        self._ground.refresh()
        self._set_rate(PRACTICE_RATE, (self.progress - IMITATION_SHARE) / (1 - IMITATION_SHARE))
        experience = self._gather()
        self.frames += self._streams * self._steps
        with self._precision.autocast(self._shop.device):
            metrics = learn(self._model, self._optimiser, experience, self._generator)
        return {**metrics, "return": self._return}

    def _set_rate(self, begin: float, gone: float) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = begin * (1.0 - 0.9 * min(1.0, gone))

    def _look(self, features: Tensor) -> tuple[Tensor, Tensor]:
        with self._precision.autocast(self._shop.device):
            found: tuple[Tensor, Tensor] = self._model(features)
        return found

    @torch.no_grad()
    def _gather(self) -> Experience:
        """T steps of every stream under the present policy."""
        rows: list[tuple[Tensor, ...]] = []
        values = []
        finished: list[Tensor] = []
        for _ in range(self._steps):
            features = self._ground.features()
            raw, value = self._look(features)
            choice, action = self._model.draw(raw, self._generator)
            chance, _ = self._model.judge(raw, choice)
            reward, ended, cut, last = self._ground.step(action)
            reward, over = reward.clone(), ended | cut
            self._running += reward
            finished.append(self._running[over])
            self._running = self._running * ~over
            if last is not None:
                # Nothing was lost or won where it was only stopped: what would have come is its value.
                reward += DISCOUNT * self._look(last)[1] * cut
            rows.append((features, choice, chance, reward, (~over).float()))
            values.append(value)
        values.append(self._look(self._ground.features())[1])
        returns = torch.cat(finished)
        if len(returns):
            # A slow average over the streams that came to an end, for people to look at.
            self._return += min(1.0, 0.01 * len(returns)) * (float(returns.mean()) - self._return)
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
            "done": self._done, "frames": self.frames, "return": self._return, "ground": ground.numbers,
            "precision": self._precision.to_json(),
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
        self._precision = Precision.from_json(numbers["precision"])
        self._precision.apply()
        self._done, self.frames, self._return = numbers["done"], numbers["frames"], numbers["return"]
        self._ground.load_state(PhaseState(part("ground."), numbers["ground"]))

    def finish(self) -> None:
        self._ground.close()
