"""A thing of a few pixels must be learned too: pixel CartPole, whose pole never falls, is the known trap."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.worlds.cases import Case
from wmplay.worlds.foreground import Foreground
from wmplay.worlds.strided import PaintError


def scene(at: list[int], size: int = 4) -> Tensor:
    """White pictures [N, 32, 32, 3] with a black square each, its left edge at these columns."""
    frames = torch.full((len(at), 32, 32, 3), 255, dtype=torch.uint8)
    for frame, column in zip(frames, at, strict=True):
        frame[10 : 10 + size, column : column + size] = 0
    return frames


def test_what_is_small_and_moves_counts_as_much_as_all_that_stands_still() -> None:
    foreground = Foreground(32, 32, 255.0)
    frames = scene([2, 8, 14, 20, 26])
    for _ in range(4):
        foreground.learn(frames)
    weights = foreground.weights(frames)
    assert weights is not None
    square = frames == 0
    # The square itself, and where others of the pictures have it.
    assert int(weights[square].min()) > 10 and int(weights[:, 20:].max()) == 1
    heavy = weights > 1
    assert 0.7 < float(weights[heavy].sum()) / float((~heavy).sum()) < 1.4


def test_a_busy_picture_is_left_as_it_is() -> None:
    """CarRacing and GridWorld would be learned worse for it."""
    foreground = Foreground(32, 32, 255.0)
    frames = torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    foreground.learn(frames)
    assert foreground.weights(frames) is None
    still = Foreground(32, 32, 1.0)
    still.learn(scene([2, 20]))
    assert still.weights(scene([2])) is None


def test_the_gradient_is_that_of_the_weighted_error() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 256, (3, 4, 4, 12), dtype=torch.uint8, generator=generator)
    weights = torch.randint(1, 30, (3, 4, 4, 12), dtype=torch.uint8, generator=generator)
    for squash in (False, True):
        painted = torch.randn(3, 4, 4, 12, generator=generator, requires_grad=True)
        shown = torch.sigmoid(painted) if squash else painted
        plain = ((shown - target / 255) ** 2 * weights).flatten(1).sum(-1)
        error = PaintError.apply(painted, target, squash, weights)
        torch.testing.assert_close(error, plain)
        pull = torch.tensor([1.0, 2.0, 3.0])
        ours = torch.autograd.grad((error * pull).sum(), painted, retain_graph=True)[0]
        torch.testing.assert_close(ours, torch.autograd.grad((plain * pull).sum(), painted)[0])


def test_weights_from_before_there_was_a_foreground_load() -> None:
    """Slots of earlier versions would be lost."""
    for family in ("rssm", "vae_mdn"):
        world = Case(family).make()
        saved = {name: value for name, value in world.state_dict().items() if not name.startswith("foreground.")}
        world.load_state_dict(saved)
        frames = scene([2, 20], 8).repeat(1, 2, 2, 1)
        world.foreground.learn(frames)
        assert world.foreground.weights(frames) is None


def test_once_learned_it_stays_and_goes_with_the_weights() -> None:
    """A training that goes on would weigh otherwise than the one that was broken off."""
    frames = scene([2, 8, 14, 20, 26])
    first = Foreground(32, 32, 255.0, limit=10)
    for _ in range(2):
        first.learn(frames)
    assert first.weight > 10
    first.learn(torch.randint(0, 256, frames.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))
    later = Foreground(32, 32, 255.0, limit=10)
    assert later.weight == 1  # nothing seen yet
    later.load_state_dict(first.state_dict())
    assert later.weight == first.weight
    first.load_state_dict(Foreground(32, 32, 255.0, limit=10).state_dict())
    assert first.weight == 1
