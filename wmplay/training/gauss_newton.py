"""Gauss-Newton steps on small batches: squared errors of small networks, met ten times as exactly as Adam meets them.

The least change of the weights that puts a batch right, to first order, is -Jᵀ (J Jᵀ + λ)⁻¹ r, where J is the Jacobian
of its residuals r. For a batch of few residuals the matrix is small however many weights there are, and needs no
Jacobian: for layers that are linear, J Jᵀ is a sum over them of products of two Gram matrices, of what went in and of
what came back (as in Martens and Grosse 2015; for sampled batches, Ren and Goldfarb 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

# λ, as a part of the mean of J Jᵀ's diagonal: where it begins, the least that float32 bears, and when to give up.
DAMPING, LEAST, MOST = 1e-3, 1e-5, 1e6
# What becomes of λ after a step that served, and after one that did not.
EASIER, HARDER = 0.7, 4.0


class GaussNewton:
    """Teaches the linear layers of a network by its residuals. All that it remembers is `damping`.

    layers: each called once, on rows [N, in], by the function given to `step`; what lies between them is free.
    """

    def __init__(self, layers: Iterable[nn.Linear]) -> None:
        self._layers = list(layers)
        self._weights = [parameter for layer in self._layers for parameter in layer.parameters()]
        self.damping = DAMPING

    def step(self, residuals: Callable[[], Tensor], rate: float = 1.0) -> bool:
        """One step; False, and nothing changed, if it would not have made the batch's errors smaller.

        residuals: computes r [N, S], row by row, at the weights as they are. rate: part of the step that is taken.
        """
        put_in, put_out, gap = self._watched(residuals)
        size = gap.numel()
        if not size:
            return False
        kernel = self._kernel(put_in, put_out, gap)
        solution = self._solve(kernel, gap.detach().T.reshape(size))
        if solution is None:
            return False
        weighted = (gap * solution.reshape(gap.shape[1], -1).T).sum()
        steps = torch.autograd.grad(weighted, self._weights)
        before = float(gap.detach().square().sum())
        with torch.no_grad():
            kept = [weight.clone() for weight in self._weights]
            for weight, step in zip(self._weights, steps, strict=True):
                weight.sub_(step, alpha=rate)
            better = float(residuals().square().sum()) <= before  # not so where it is no number
            if not better:
                for weight, old in zip(self._weights, kept, strict=True):
                    weight.copy_(old)
        self.damping = max(LEAST, self.damping * EASIER) if better else min(MOST, self.damping * HARDER)
        return better

    def _watched(self, residuals: Callable[[], Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """What went into and came out of each layer, [N, in] and [N, out], and the residuals [N, S]."""
        seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

        def keep(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            seen[layer] = given[0].detach(), output

        hooks = [layer.register_forward_hook(keep) for layer in self._layers]
        try:
            gap = residuals()
        finally:
            for hook in hooks:
                hook.remove()
        pairs = [seen[layer] for layer in self._layers]
        return [given for given, _ in pairs], [output for _, output in pairs], gap

    def _kernel(self, put_in: list[Tensor], put_out: list[Tensor], gap: Tensor) -> Tensor:
        """J Jᵀ [S·N, S·N], residuals in the order of [S, N]."""
        count = gap.shape[1]
        # Rows do not mix, so that the gradient of a sum over them holds each one's own.
        back = [torch.autograd.grad(gap[:, s].sum(), put_out, retain_graph=True) for s in range(count)]
        kernel = gap.new_zeros(gap.numel(), gap.numel())
        for number, (layer, rows) in enumerate(zip(self._layers, put_in, strict=True)):
            sensitive = torch.cat([found[number] for found in back])
            alike = rows @ rows.T + (0.0 if layer.bias is None else 1.0)
            kernel += (sensitive @ sensitive.T) * alike.repeat(count, count)
        return kernel

    def _solve(self, kernel: Tensor, right: Tensor) -> Tensor | None:
        """(kernel + λ)⁻¹ right [S·N], in float64; with more damping until that can be computed, None if it cannot."""
        where = torch.device("cpu") if kernel.device.type == "mps" else kernel.device
        matrix = kernel.to(where).double()
        diagonal = matrix.diagonal().clone()
        while self.damping < MOST:
            matrix.diagonal().copy_(diagonal + self.damping * diagonal.mean())
            factor, failed = torch.linalg.cholesky_ex(matrix)
            if not int(failed):
                found = torch.cholesky_solve(right.to(where).double()[:, None], factor)[:, 0]
                return found.to(kernel.device, kernel.dtype)
            self.damping *= HARDER
        self.damping = DAMPING
        return None
