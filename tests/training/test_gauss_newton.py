"""The steps that make small networks exact: right to the letter, better than Adam's, and harmless where they fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from wmplay.training.gauss_newton import DAMPING, GaussNewton


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2, bias=False))


def task(net: nn.Module, rows: int, seed: int = 1) -> Callable[[], Tensor]:
    """Residuals of a smooth function of three numbers."""
    x = torch.rand(rows, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    y = torch.stack((torch.sin(2 * x[:, 0]) * x[:, 1], x[:, 2] + 0.5 * x[:, 0]), 1)
    return lambda: net(x) - y


def linear(net: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in net if isinstance(layer, nn.Linear)]


def error(residuals: Callable[[], Tensor]) -> float:
    return float(residuals().detach().square().mean())


def test_the_step_is_that_of_the_textbook() -> None:
    """-(JᵀJ + λ)⁻¹ Jᵀ r by the Jacobian written out: a wrong factor would still learn, only worse than it could."""
    net = network()
    residuals = task(net, 6)
    newton = GaussNewton(linear(net))
    newton.damping = 1.0  # far above what float32 makes of the two ways
    before = torch.cat([p.detach().flatten() for p in net.parameters()])
    gap = residuals()
    rows = [torch.autograd.grad(g, list(net.parameters()), retain_graph=True) for g in gap.T.flatten()]
    jacobian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows]).double()
    ridge = jacobian.square().sum(1).mean() * torch.eye(len(before), dtype=torch.float64)
    want = -torch.linalg.solve(jacobian.T @ jacobian + ridge, jacobian.T @ gap.detach().T.flatten().double())
    assert newton.step(residuals)
    moved = torch.cat([p.detach().flatten() for p in net.parameters()]) - before
    assert torch.allclose(moved, want.float(), rtol=1e-3, atol=1e-6)


def test_it_gets_far_below_adam_in_as_many_steps() -> None:
    """The reason for it: dreams that stay true need a step that is exact."""
    ours, theirs = network(), network()
    mine, other = task(ours, 64), task(theirs, 64)
    newton, adam = GaussNewton(linear(ours)), torch.optim.Adam(theirs.parameters(), 1e-2)
    for _ in range(150):
        newton.step(mine)
        adam.zero_grad()
        other().square().mean().backward()
        adam.step()
    assert error(mine) < 0.1 * error(other)


def test_a_step_that_would_do_harm_is_not_taken() -> None:
    """The errors of its batch never grow, and where the result is no number the weights stay as they were."""
    net = network()
    residuals, newton = task(net, 16), GaussNewton(linear(net))
    for _ in range(20):
        before = error(residuals)
        newton.step(residuals)
        assert error(residuals) <= before
    kept, looks = [p.clone() for p in net.parameters()], []

    def cliff() -> Tensor:
        looks.append(True)
        return residuals() * (float("nan") if len(looks) > 1 else 1.0)

    damping = newton.damping
    assert not newton.step(cliff)
    assert all(torch.equal(a, b) for a, b in zip(kept, net.parameters(), strict=True))
    assert newton.damping > damping


@pytest.mark.parametrize("rows", [0, 40])
def test_a_batch_that_teaches_nothing_stops_nothing(rows: int) -> None:
    """No row, as at the end of every episode; or rows all alike, whose matrix cannot be inverted."""
    net = network()
    x, y = torch.ones(rows, 3), torch.zeros(rows, 2)
    newton = GaussNewton(linear(net))
    for _ in range(5):
        newton.step(lambda: net(x) - y)
    assert all(torch.isfinite(p).all() for p in net.parameters())
    assert newton.damping <= 10 * DAMPING
