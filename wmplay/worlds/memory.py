"""The LSTM that the 2018 world models remember with, as one step, so that training and play run the same code."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Memory(nn.Module):
    """An LSTM cell (Hochreiter and Schmidhuber 1997; forget bias 1) whose memory can be emptied row by row.

    `project` is the part that needs no memory: a caller that knows all inputs of a segment does it in one product.
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
        enter, forget, candidate, leave = gates.chunk(4, dim=-1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        return torch.sigmoid(leave) * torch.tanh(cell), cell
