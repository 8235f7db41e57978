"""The second-order steps that make small networks exact: they get down where Adam crawls, and can be taken up again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from wmplay.training.quasi_newton import MEMORY, QuasiNewton


def valley(at: Tensor) -> Tensor:
    """Rosenbrock's function of 10 numbers: a bent valley in which first-order steps take thousands."""
    return (100 * (at[1:] - at[:-1].square()).square() + (1 - at[:-1]).square()).sum()


def start(value: float = -0.5) -> Tensor:
    return torch.full((10,), value, dtype=torch.float64, requires_grad=True)


def go(at: Tensor, newton: QuasiNewton, steps: int, function: Callable[[Tensor], Tensor] = valley) -> list[bool]:
    return [newton.step(lambda: function(at)) for _ in range(steps)]


def test_the_bottom_of_a_bent_valley_is_reached() -> None:
    at = start()
    go(at, QuasiNewton([at]), 80)
    assert float(valley(at).detach()) < 1e-12


def test_it_never_goes_up() -> None:
    """A user's dream must not get worse by training on."""
    at, seen = start(), []
    newton = QuasiNewton([at])
    for _ in range(40):
        newton.step(lambda: valley(at))
        seen.append(float(valley(at).detach()))
    assert all(later <= earlier for earlier, later in pairwise(seen))


def test_what_is_saved_goes_on_bit_for_bit() -> None:
    """Else a resumed training would end elsewhere than an unbroken one. Broken off with and without a full memory."""
    for before in (0, 1, 7, MEMORY + 5):
        whole, broken = start(), start()
        go(whole, QuasiNewton([whole]), before + 5)
        first = QuasiNewton([broken])
        go(broken, first, before)
        second = QuasiNewton([broken])
        second.load_state(*first.state())
        go(broken, second, 5)
        assert torch.equal(whole, broken)


def test_at_the_bottom_it_says_so_and_stays() -> None:
    """Line searches that find nothing must neither go on for ever nor leave the weights at the last try."""
    at = start(1.0)
    assert go(at, QuasiNewton([at]), 1) == [False]
    assert torch.equal(at, start(1.0))


def test_a_loss_that_is_no_number_is_not_stepped_onto() -> None:
    """A cliff behind the valley costs tries, never the weights."""
    at = start(0.5)
    go(at, QuasiNewton([at]), 30, lambda x: valley(x) + (1.5 - x).log().sum())
    assert torch.isfinite(at).all()
