"""The LSTM that the 2018 world models remember with, as one step, so that training and play run the same code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.kept import Kept

# Rows of a weight that a CPU multiplies at a time in bfloat16 (AMX): a product of 256 × 292 by 292 × 1024 took 136 to
# 156 microseconds, with 320 rows 111 to 125.
_ROWS = 32


class Joined(NamedTuple):
    """One layer that stands for several, in the form in which a product takes least time: no bias, nothing to turn."""

    weight: Tensor  # [R, O], R a multiple of 32 above I; the row after the inputs' is the bias, those below are 0

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor) -> Joined:
        """Of a linear layer's weight [O, I] and bias [O]."""
        rows = torch.cat((weight, bias[:, None]), dim=1).t()
        return cls(F.pad(rows, (0, 0, 0, -len(rows) % _ROWS)).contiguous())

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Inputs [B, ·], side by side I wide -> float32 [B, O]."""
        rows, start = self.weight.new_empty(len(inputs[0]), len(self.weight)), 0
        for part in inputs:
            rows[:, start : start + part.shape[1]] = part
            start += part.shape[1]
        rows[:, start:] = 1.0
        return (rows @ self.weight).float()


class Memory(nn.Module):
    """An LSTM cell (Hochreiter and Schmidhuber 1997; forget bias 1) whose memory can be emptied row by row.

    `project` is the part that needs no memory: a caller that knows all inputs of a segment does it in one product, and
    `advance` the rest; `read` is both at once.
    """

    def __init__(self, inputs: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.inputs = nn.Linear(inputs, 4 * hidden_size)
        self.recurrent = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        bound = 1.0 / math.sqrt(hidden_size)
        for weight in (self.inputs.weight, self.recurrent.weight):
            nn.init.uniform_(weight, -bound, bound)
        with torch.no_grad():
            self.inputs.bias.zero_()
            self.inputs.bias[hidden_size : 2 * hidden_size] = 1.0
        self.kept = Kept()

    def empty(self, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Blank hidden and cell, each float32 [B, H], on the device of `like`."""
        blank = torch.zeros(batch, self.hidden_size, device=like.device)
        return blank, blank.clone()

    def project(self, inputs: Tensor) -> Tensor:
        """[N, I] -> the inputs' share of the gates, [N, 4H]."""
        return self.inputs(inputs)

    def advance(self, projected: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """One step: gates' share [B, 4H] and memory [B, H] twice -> hidden and cell, float32 [B, H]."""
        gates = (projected + self.recurrent(hidden)).float()
        if torch.compiler.is_compiling():
            return _compiled_cell(gates, cell)
        if torch.is_grad_enabled():
            return Cell.apply(gates, cell)  # type: ignore[no-any-return]
        return _cell(gates, cell)[:2]

    def read(self, inputs: Sequence[Tensor], hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """One step of inputs [B, ·], side by side I wide: hidden and cell, float32 [B, H]. In a dream one product, of
        joined weights."""
        if not self.kept.usable():
            return self.advance(self.project(torch.cat(tuple(inputs), dim=-1)), hidden, cell)
        taught = (self.inputs.weight, self.recurrent.weight, self.inputs.bias)
        joined = self.kept.of(taught, self._joined)
        return _dreamed_cell(joined(*inputs, hidden), cell)

    def _joined(self) -> Joined:
        """The gates of inputs and hidden, the candidate's doubled: tanh is made of the sigmoid of twice as much."""
        weight, bias = torch.cat((self.inputs.weight, self.recurrent.weight), dim=1), self.inputs.bias
        doubled = torch.ones_like(bias)
        doubled[2 * self.hidden_size : 3 * self.hidden_size] = 2.0
        return Joined.of(weight * doubled[:, None], bias * doubled)


def _compiled_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Gates [B, 4H] and cell [B, H] -> hidden and cell [B, H], as a compiler likes it; tanh as in `_cell`."""
    enter, forget, candidate, leave = gates.chunk(4, dim=-1)
    after = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * (2.0 * torch.sigmoid(2.0 * candidate) - 1.0)
    return torch.sigmoid(leave) * (2.0 * torch.sigmoid(2.0 * after) - 1.0), after


def _dreamed_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Gates [B, 4H], the candidate's doubled, and cell [B, H] -> hidden and cell [B, H], as `_cell`, which also keeps
    what a gradient needs: without that in fewer visits. The gates are overwritten."""
    enter, forget, candidate, leave = gates.sigmoid_().chunk(4, dim=-1)
    after = torch.addcmul(torch.addcmul(-enter, enter, candidate, value=2.0), forget, cell)
    return torch.addcmul(-leave, leave, (after * 2.0).sigmoid_(), value=2.0), after


class Cell(torch.autograd.Function):
    """Gates [B, 4H] and cell [B, H] -> hidden and cell [B, H], with its gradient by hand: a third of the operations."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        hidden, after, opened, shown = _cell(gates.clone(), cell)
        ctx.save_for_backward(opened, cell, shown)
        return hidden, after

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        opened, before, shown = ctx.saved_tensors
        of_hidden, of_cell = gradients
        enter, forget, candidate, leave = opened.chunk(4, dim=-1)
        inside = torch.ops.aten.tanh_backward(of_hidden * leave, shown).add_(of_cell)
        slope = torch.cat((inside * candidate, inside * before, inside * enter, of_hidden * shown), dim=-1)
        size = before.shape[-1]
        out = torch.ops.aten.sigmoid_backward(slope, opened)
        middle = slice(2 * size, 3 * size)
        out[:, middle] = torch.ops.aten.tanh_backward(slope[:, middle], candidate)
        return out, inside * forget


def _cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hidden and cell [B, H], the gates opened [B, 4H], and the cell as it is shown [B, H]. The gates are overwritten.

    tanh(x) is 2 sigmoid(2x) − 1 here: off by 2e-7 at most, and on a CPU torch is several times as fast at it.
    """
    gates.chunk(4, dim=-1)[2].mul_(2.0)
    opened = torch.sigmoid_(gates)
    enter, forget, candidate, leave = opened.chunk(4, dim=-1)
    candidate.mul_(2.0).sub_(1.0)
    after = torch.addcmul(enter * candidate, forget, cell)
    shown = torch.sigmoid_(after * 2.0).mul_(2.0).sub_(1.0)
    return leave * shown, after, opened, shown
