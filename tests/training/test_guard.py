"""When a training has fallen apart, and when it has not."""

from __future__ import annotations

import json

import torch

from wmplay.training.guard import RETURNS, WINDOW, Guard


def windows(guard: Guard, weight: torch.Tensor, *told: tuple[float, float]) -> list[bool]:
    """Of every window, with this loss and gradient throughout, whether it was believed to be ruins. The weight is the
    window's loss meanwhile."""
    found = []
    for loss, gradient in told:
        weight.fill_(loss)
        steps = [guard.fell_apart(torch.tensor(loss), torch.tensor(gradient)) for _ in range(WINDOW)]
        found.append(any(steps))
    return found


def test_ruins_are_left_for_the_best_weights_and_the_steps_get_smaller() -> None:
    weight = torch.zeros(3)
    guard = Guard([weight])
    assert windows(guard, weight, (2.0, 1.0), (0.5, 0.1), (0.7, 0.3), (9.0, 50.0), (9.0, 50.0)) == [False] * 4 + [True]
    assert weight.tolist() == [0.5] * 3 and guard.rate == 0.5
    for _ in range(RETURNS):
        assert not guard.gives_up
        assert windows(guard, weight, (9.0, 50.0), (9.0, 50.0)) == [False, True]
    assert guard.gives_up


def test_what_looks_like_it_and_is_not() -> None:
    """Gradients grow when a network leaves a plateau; losses when its task gets harder; both for a moment, anyhow."""
    weight = torch.zeros(3)
    plateau = Guard([weight])
    assert not any(windows(plateau, weight, (2.0, 0.001), (1.9, 0.001), (1.5, 1.0), (1.2, 1.0), (1.0, 1.0)))
    harder = Guard([weight])
    assert not any(windows(harder, weight, (2.0, 1.0), (3.0, 5.0), (4.0, 5.0), (4.0, 5.0)))
    moment = Guard([weight])
    assert not any(windows(moment, weight, (2.0, 0.1), (9.0, 50.0), (1.0, 0.1), (9.0, 50.0), (1.0, 0.1)))


def test_another_task_has_a_beginning_of_its_own() -> None:
    """Whole segments have a higher loss than brief ones: weights from before would otherwise stay the best for good."""
    weight = torch.zeros(3)
    guard = Guard([weight])
    windows(guard, weight, (2.0, 1.0), (0.1, 0.1))
    guard.another_task()
    assert windows(guard, weight, (1.0, 0.2), (0.5, 0.1), (3.0, 50.0), (3.0, 50.0)) == [False, False, False, True]
    assert weight.tolist() == [0.5] * 3


def test_a_guard_goes_on_where_it_was() -> None:
    weight = torch.zeros(3)
    guard = Guard([weight])
    windows(guard, weight, (2.0, 1.0), (0.5, 0.1), (9.0, 50.0))
    for _ in range(WINDOW - 1):
        guard.fell_apart(torch.tensor(9.0), torch.tensor(50.0))
    other = Guard([weight])
    other.load({name: tensor.clone() for name, tensor in guard.tensors()}, json.loads(json.dumps(guard.numbers())))
    assert other.fell_apart(torch.tensor(9.0), torch.tensor(50.0))
    assert weight.tolist() == [0.5] * 3
