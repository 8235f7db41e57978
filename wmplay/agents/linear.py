"""C of World Models (Ha and Schmidhuber 2018): a linear layer from features to actions, and what its outputs mean.

Shapes: P policies, R rollouts of each, F features, A action entries, D parameters of one policy.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wmplay.core.spaces import ActionSpec


def squashes(action: ActionSpec) -> tuple[str, ...]:
    """How each entry of a box action is brought into its bounds.

    The paper's for CarRacing's (steer, gas, brake): tanh, sigmoid, and a tanh cut off below zero, so that the brake is
    off half of the time. Everywhere else a tanh spread over the bounds.
    """
    if action.kind != "box":
        return ()
    if action.low == (-1.0, 0.0, 0.0) and action.high == (1.0, 1.0, 1.0):
        return ("tanh", "sigmoid", "cut")
    return ("tanh",) * len(action.low)


def outputs(action: ActionSpec) -> int:
    """Length of the raw output: one for each entry of a box, one score for each choice otherwise."""
    return action.width


def to_action(raw: Tensor, action: ActionSpec, squash: tuple[str, ...]) -> Tensor:
    """Raw outputs [..., outputs] as actions of the game: float32 [..., A] in bounds, or int64 by the highest score."""
    if action.kind == "discrete":
        return raw.argmax(-1)
    if action.kind == "multi":
        return torch.stack([part.argmax(-1) for part in raw.split(list(action.counts), -1)], -1)
    entries = []
    for index, how in enumerate(squash):
        low, high, x = action.low[index], action.high[index], raw[..., index]
        if how == "sigmoid":
            share = torch.sigmoid(x)
        elif how == "cut":
            share = torch.tanh(x).clamp_min(0.0)
        else:
            share = (torch.tanh(x) + 1.0) / 2.0
        entries.append(low + share * (high - low))
    return torch.stack(entries, -1)


def from_action(taken: Tensor, action: ActionSpec, squash: tuple[str, ...]) -> Tensor:
    """The reverse of `to_action` for a box: raw outputs [..., A] that mean the actions taken [..., A].

    At the bounds no number is large enough, so it stops short of them; a brake that is off means -0.5.
    """
    entries = []
    for index, how in enumerate(squash):
        low, high = action.low[index], action.high[index]
        # An entry that can only be one value means nothing, whatever is put out for it.
        share = ((taken[..., index].float() - low) / ((high - low) or 1.0)).clamp(0.03, 0.97)
        if how == "sigmoid":
            entries.append(torch.logit(share))
        elif how == "cut":
            entries.append(torch.where(taken[..., index] > low, torch.atanh(share), -0.5))
        else:
            entries.append(torch.atanh(2.0 * share - 1.0))
    return torch.stack(entries, -1)


class LinearPolicy:
    """A population of linear layers: W features + b, with W [outputs, F] and b [outputs] in one vector."""

    kind = "linear"

    def __init__(self, features: int, action: ActionSpec, squash: tuple[str, ...] | None = None) -> None:
        self.features, self.action = features, action
        self.squash = squashes(action) if squash is None else squash

    @property
    def size(self) -> int:
        """D; 867 for CarRacing's 288 features and 3 actions."""
        return outputs(self.action) * (self.features + 1)

    def act(self, parameters: Tensor, features: Tensor) -> Tensor:
        """Parameters [P, D] and features [P, R, F] -> actions [P, R, ...]."""
        count = outputs(self.action)
        weight = parameters[:, : count * self.features].view(-1, count, self.features)
        bias = parameters[:, count * self.features :]
        raw = torch.baddbmm(bias[:, None], features, weight.transpose(1, 2))
        return to_action(raw, self.action, self.squash)

    def to_json(self) -> dict[str, Any]:
        """What slot.json keeps of it; the parameters are in agent.safetensors."""
        return {"kind": self.kind, "features": self.features, "parameters": self.size, "squash": list(self.squash)}
