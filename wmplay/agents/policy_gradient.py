"""A controller learned by policy gradient: an actor and a critic on a world's features.

REINFORCE (Williams 1992) with a learned baseline, advantages by GAE (Schulman et al. 2016, λ), and the clipped ratio of
PPO (Schulman et al. 2017), so that each batch of dreams can be used more than once. Shapes: N dreams, T steps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.agents.linear import from_action, outputs, squashes, to_action
from wmplay.core.spaces import ActionSpec

DISCOUNT, LAMBDA, CLIP, ENTROPY, VALUE = 0.97, 0.95, 0.2, 0.01, 0.5
ADVANTAGE = 1.5
"""How far, in deviations, a recorded step's advantage counts: the best weigh exp(3) times as much as the worst."""


class GridReader(nn.Module):
    """Features that are a picture of codes, read so that what was learned in one place holds in every other.

    One convolution is applied again and again, as value iteration passes values from cell to cell (Tamar et al. 2016,
    Value Iteration Networks); then a few attention heads pick the cells that matter, such as where the player stands.
    """

    def __init__(self, grid: tuple[int, int, int], channels: int = 32, rounds: int = 10, heads: int = 4) -> None:
        super().__init__()
        self.grid, self.rounds = grid, rounds
        self.enter = nn.Conv2d(grid[2], channels, 1)
        self.spread = nn.Conv2d(channels, channels, 3, padding=1)
        self.look = nn.Conv2d(channels, heads, 1)
        self.size = heads * channels

    def forward(self, cells: Tensor) -> Tensor:
        """[N, H·W·C] -> [N, size]"""
        given = self.enter(cells.unflatten(-1, self.grid).movedim(-1, 1))
        x = F.silu(given)
        for _ in range(self.rounds):
            x = x + F.silu(self.spread(x) + given)
            x = x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)
        share = self.look(x).flatten(2).softmax(-1)
        return (share @ x.flatten(2).mT).flatten(1)


class ActorCritic(nn.Module):
    """Features -> raw action outputs and a value; one hidden layer each. Box actions are Gaussian before the squash.

    grid: (H, W, C) if the first H·W·C features are a picture of codes, see `World.features_grid`.
    """

    kind = "actor_critic"

    def __init__(
        self, features: int, action: ActionSpec, hidden: int = 128, grid: tuple[int, int, int] | None = None
    ) -> None:
        super().__init__()
        self.features, self.action, self.hidden, self.grid = features, action, hidden, grid
        self.squash = squashes(action)
        self.norm = nn.LayerNorm(features, elementwise_affine=False)
        self.reader = None if grid is None else GridReader(grid)
        seen = features if self.reader is None else features - math.prod(self.reader.grid) + self.reader.size
        choose, judge = nn.Linear(hidden, outputs(action)), nn.Linear(hidden, 1)
        self.actor = nn.Sequential(nn.Linear(seen, hidden), nn.SiLU(), choose)
        self.critic = nn.Sequential(nn.Linear(seen, hidden), nn.SiLU(), judge)
        self.log_deviation = nn.Parameter(torch.full((outputs(action),), -0.5))
        with torch.no_grad():
            # A first policy that leans nowhere and a first value of nothing.
            choose.weight.mul_(0.01)
            judge.weight.zero_()

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """[N, F] -> raw outputs [N, O] and values [N]."""
        seen = self.norm(features)
        if self.reader is not None:
            cells = math.prod(self.reader.grid)
            seen = torch.cat((self.reader(seen[:, :cells]), seen[:, cells:]), dim=-1)
        return self.actor(seen).float(), self.critic(seen).squeeze(-1).float()

    @torch.no_grad()
    def act(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Actions for features [N, F]: drawn from the policy where it chooses among a few, as it was learned (the
        likeliest one can go to and fro for ever); the middle of a box. Without a generator the likeliest everywhere."""
        raw, _ = self(features)
        if generator is None or self.action.kind == "box":
            return to_action(raw, self.action, self.squash)
        return self.draw(raw, generator)[1]

    def draw(self, raw: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A choice drawn from the policy, and the game action it means. For a box the choice is what comes before the
        squash, float32 [N, A]; else int64 [N] or [N, groups], the action itself."""
        if self.action.kind == "box":
            noise = torch.randn(raw.shape, generator=generator, device=raw.device)
            choice = raw + self.log_deviation.exp() * noise
            return choice, to_action(choice, self.action, self.squash)
        choices = [torch.multinomial(p.softmax(-1), 1, generator=generator)[:, 0] for p in self._groups(raw)]
        choice = choices[0] if self.action.kind == "discrete" else torch.stack(choices, -1)
        return choice, choice

    def choice(self, action: Tensor) -> Tensor:
        """What `draw` would have chosen, for actions of the game as they are recorded."""
        return from_action(action, self.action, self.squash) if self.action.kind == "box" else action.long()

    def judge(self, raw: Tensor, choice: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability [N] of choices under the policy, and the policy's entropy [N]."""
        if self.action.kind == "box":
            normal = torch.distributions.Normal(raw, self.log_deviation.exp())
            return normal.log_prob(choice).sum(-1), normal.entropy().sum(-1)
        picks = choice[:, None] if self.action.kind == "discrete" else choice
        chances = [part.log_softmax(-1) for part in self._groups(raw)]
        chosen = [p.gather(1, picks[:, i : i + 1])[:, 0] for i, p in enumerate(chances)]
        entropy = [-(p.exp() * p).sum(-1) for p in chances]
        return torch.stack(chosen).sum(0), torch.stack(entropy).sum(0)

    def _groups(self, raw: Tensor) -> list[Tensor]:
        return [raw] if self.action.kind == "discrete" else list(raw.split(list(self.action.counts), -1))


class Experience(NamedTuple):
    """T steps of N dreams: features [T, N, F], choice [T, N, ...], chance (log) [T, N], reward [T, N], going_on float
    [T, N] (0 where the dream ended), value [T+1, N]."""

    features: Tensor
    choice: Tensor
    chance: Tensor
    reward: Tensor
    going_on: Tensor
    value: Tensor


def advantages(experience: Experience, discount: float = DISCOUNT, decay: float = LAMBDA) -> Tensor:
    """GAE (eq. 16 there): float32 [T, N]."""
    steps = experience.reward.shape[0]
    out = torch.zeros_like(experience.reward)
    ahead = torch.zeros_like(experience.reward[0])
    for t in reversed(range(steps)):
        on = experience.going_on[t]
        surprise = experience.reward[t] + discount * on * experience.value[t + 1] - experience.value[t]
        ahead = surprise + discount * decay * on * ahead
        out[t] = ahead
    return out


def imitate(
    model: ActorCritic,
    optimiser: torch.optim.Optimizer,
    played: Experience,
    real: Tensor,
    generator: torch.Generator,
    batch: int = 64,
) -> dict[str, Tensor]:
    """Do as a recorded player did, the more so where it did better than usual (Peng et al. 2019, Advantage-Weighted
    Regression), and learn what its play was worth. Once through all real steps [T, N] of `played`.

    played: features [T+1, N, F]; choice holds the game's actions, value is of no meaning. real: bool [T, N].
    """
    with torch.no_grad():
        value = model(played.features.flatten(0, 1))[1].view(played.features.shape[:2])
        # A step from one episode into the next earned what was to be expected, and nothing comes after it.
        reward = torch.where(real, played.reward, value[:-1])
        advantage = advantages(played._replace(reward=reward, going_on=played.going_on * real, value=value))
        target = (advantage + value[:-1]).flatten()
        kept = real.flatten().nonzero().squeeze(-1)
        flat = advantage.flatten() / (advantage.flatten()[kept].std(correction=0) + 1e-6)
        weight = flat.clamp(-ADVANTAGE, ADVANTAGE).exp()
        weight = weight / weight[kept].mean()
    features, choice = played.features[:-1].flatten(0, 1), model.choice(played.choice.flatten(0, 1))
    metrics: dict[str, Tensor] = {}
    for piece in kept[torch.randperm(len(kept), generator=generator, device=kept.device)].split(batch):
        raw, guess = model(features[piece])
        chance, entropy = model.judge(raw, choice[piece])
        nll = -(weight[piece] * chance).mean()
        error = F.smooth_l1_loss(guess, target[piece])
        _improve(model, optimiser, nll + VALUE * error)
        metrics = {"imitation": nll.detach(), "value": error.detach(), "entropy": entropy.mean().detach()}
    return metrics


def _improve(model: ActorCritic, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimiser.step()


def learn(
    model: ActorCritic,
    optimiser: torch.optim.Optimizer,
    experience: Experience,
    generator: torch.Generator,
    repeats: int = 2,
    batch: int = 256,
) -> dict[str, Tensor]:
    """Improve the policy on one batch of experience, gone through `repeats` times in shuffled batches."""
    advantage = advantages(experience)
    target = (advantage + experience.value[:-1]).flatten()
    flat = advantage.flatten()
    flat = (flat - flat.mean()) / (flat.std() + 1e-6)
    features, choice = experience.features.flatten(0, 1), experience.choice.flatten(0, 1)
    chance = experience.chance.flatten()
    metrics: dict[str, Tensor] = {}
    for _ in range(repeats):
        order = torch.randperm(len(flat), generator=generator, device=flat.device)
        for piece in order.split(batch):
            raw, value = model(features[piece])
            now, entropy = model.judge(raw, choice[piece])
            ratio = (now - chance[piece]).exp()
            gain = torch.minimum(ratio * flat[piece], ratio.clamp(1 - CLIP, 1 + CLIP) * flat[piece]).mean()
            error = F.smooth_l1_loss(value, target[piece])
            loss = -gain + VALUE * error - ENTROPY * entropy.mean()
            _improve(model, optimiser, loss)
            metrics = {"policy": -gain.detach(), "value": error.detach(), "entropy": entropy.mean().detach()}
    return metrics
