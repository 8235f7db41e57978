"""Muon: for weight matrices, steps that are as long in every direction (Jordan et al. 2024; Liu et al. 2025,
arXiv 2502.16982). What is no matrix, or a thin one, is left to AdamW.

Of the gradient of a layer few directions are long, and Adam follows those; here the rare ones are learned as quickly.
A step's length does not depend on the gradient's: clipping does not tame it, only the learning rate does. torch's own
Muon computes in bfloat16, which many CPUs only imitate, and takes no convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

# Share of the momentum that is kept.
MOMENTUM = 0.95
# Rounds of the iteration, and its coefficients, by which singular values between 0.002 and 1 come near 1.
ROUNDS, COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)
# Root of a step's mean square, in learning rates. After 200 s the loss of the painter of `canvas` was 1.10 with Adam,
# 1.04 at 0.2, about the size of Adam's, 1.01 at 0.4 and 1.02 at 0.8.
SIZE = 0.4
# Matrices with a shorter side than this are thin: heads, mostly, whose few directions all matter.
THIN = 32
# Of those with a longer one, pieces of it are taken by themselves: the cost grows with its square. After 150 steps the
# loss of `rssm` was 47.5 with pieces of 256 and 43.6 with these, which cost two thirds of the time (whole ones: twice).
PIECE = 128
# How many times as long as wide a matrix must be for its rounds to be made of its square. On one thread the matrices of
# `canvas` take 36 ms so for 67 (painter of width 48) and 16 for 32 (memory), in bfloat16 35 for 48 and 19 for 27.
LONG = 3


def orthogonal(matrices: Sequence[Tensor], rounded: bool = False) -> list[Tensor]:
    """Float32 matrices [M, N] with all their singular values brought near 1, by a Newton-Schulz iteration; rounded: in
    bfloat16, where that is quicker.

    One with more than PIECE rows and columns is cut along its shorter side, and each piece has its own. Pieces of the
    same shape are computed together: those of `rssm` take half of the time so in bfloat16, and in float32 0.92 of it on
    one thread and 0.76 on two.
    """
    wide = [matrix if len(matrix) <= matrix.shape[1] else matrix.t() for matrix in matrices]
    pieces = [piece for matrix in wide for piece in matrix.tensor_split(_count(matrix))]
    alike: dict[torch.Size, list[int]] = {}
    for index, piece in enumerate(pieces):
        alike.setdefault(piece.shape, []).append(index)
    for indices in alike.values():
        found = _orthogonal(torch.stack([pieces[index] for index in indices]), rounded)
        for index, piece in zip(indices, found.unbind(), strict=True):
            pieces[index] = piece
    left = iter(pieces)
    made = [torch.cat(list(islice(left, _count(matrix)))) for matrix in wide]
    return [new if new.shape == old.shape else new.t() for new, old in zip(made, matrices, strict=True)]


def _count(wide: Tensor) -> int:
    """Pieces that a matrix is cut into."""
    return math.ceil(len(wide) / PIECE)


def _orthogonal(wide: Tensor, rounded: bool) -> Tensor:
    """`orthogonal` of float32 matrices [K, M, N] with at least as many columns as rows."""
    x = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    if x.shape[2] >= LONG * x.shape[1] and x.device.type == "cpu" and torch.get_float32_matmul_precision() != "medium":
        # What a round multiplies by is a polynomial of X Xᵀ, as are all before it: they are multiplied with each other,
        # and with the long matrix only once. X Xᵀ must be exact for that, since small singular values are tiny in it:
        # not so "medium" products, which are rounded, nor a graphics card's.
        square = x @ x.mT
        found = torch.eye(len(square[0]), device=x.device).expand_as(square)
        for _ in range(ROUNDS):
            factor = torch.baddbmm(square, square, square, beta=b, alpha=c)
            factor.diagonal(dim1=1, dim2=2).add_(a)
            found, square = factor @ found, factor @ square @ factor
        return found @ x
    if rounded:
        x = x.bfloat16()
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.float()


class Muon(torch.optim.AdamW):
    """AdamW that treats matrices, and kernels of convolutions as matrices [out, in × height × width], as Muon does.

    rounded: directions of matrices that are not LONG are found in bfloat16, where a machine can, in some 0.6 of the
    time (0.53 to 0.68, five shapes); their least and largest singular values are 1 % off at the most, but for values
    next to 0.
    """

    def __init__(self, parameters: Any, rounded: bool = False, **settings: Any) -> None:
        super().__init__(parameters, **settings)
        self._rounded = rounded

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step from the gradients as they are; of matrices they are then None. There is no closure to ask again."""
        assert closure is None
        for group in self.param_groups:
            taught = [p for p in group["params"] if p.grad is not None and self._is_matrix(p)]
            steps = orthogonal([self._one_step_ahead(parameter).flatten(1) for parameter in taught], self._rounded)
            for parameter, step in zip(taught, steps, strict=True):
                rate = group["lr"] * SIZE * max(step.shape) ** 0.5
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                parameter.add_(step.view(parameter.shape), alpha=-rate)
                parameter.grad = None  # done with: AdamW passes it over
        return super().step()

    @staticmethod
    def _is_matrix(parameter: Tensor) -> bool:
        return parameter.ndim >= 2 and min(len(parameter), parameter[0].numel()) >= THIN

    def _one_step_ahead(self, parameter: Tensor) -> Tensor:
        """Take the gradient into the parameter's momentum; returns what the two are a step later (Nesterov 1983)."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        return parameter.grad + MOMENTUM * state["momentum"].mul_(MOMENTUM).add_(parameter.grad)
