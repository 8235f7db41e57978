"""What a memory cannot foresee is drawn from the mistakes it made where it expected much the same."""

import torch

from wmplay.worlds.surprise import KEPT, TAKEN, Surprises


def _coin(steps: int) -> Surprises:
    """Where -1 is expected the truth is -1; where 1 is, it is 0 or 2 by a coin."""
    surprises, generator = Surprises(2), torch.Generator().manual_seed(0)
    for _ in range(steps):
        expected = torch.randint(2, (TAKEN, 1), generator=generator).float() * 2 - 1
        coin = torch.randint(2, (TAKEN, 1), generator=generator).float() * 2 - 1
        expected = expected + 0.01 * torch.randn(TAKEN, 1, generator=generator)
        truly = expected + coin * (expected > 0)
        surprises.learn(expected.expand(-1, 2), truly.expand(-1, 2))
    return surprises


def test_mistakes_are_drawn_where_they_were_made_and_as_often() -> None:
    surprises = _coin(2 * KEPT // TAKEN)
    generator = torch.Generator().manual_seed(1)
    sure = surprises.draw(torch.full((400, 2), -1.0), generator)
    assert torch.equal(sure, torch.zeros(400, 2))
    unsure = surprises.draw(1.0 + 0.01 * torch.randn(400, 2, generator=generator), generator)
    assert torch.allclose(unsure.abs(), torch.ones(400, 2), atol=1e-5)
    assert abs(float(unsure[:, 0].mean())) < 0.15


def test_the_oldest_make_room_for_the_newest() -> None:
    surprises = _coin(KEPT // TAKEN)
    for _ in range(KEPT // TAKEN):
        surprises.learn(torch.zeros(TAKEN, 2), torch.full((TAKEN, 2), 0.5))
    assert torch.equal(surprises.missed, torch.full((KEPT, 2), 0.5))


def test_weights_from_before_load_without_surprises() -> None:
    surprises = _coin(4)
    surprises.load_state_dict({})
    assert torch.equal(surprises.draw(torch.ones(5, 2), None), torch.zeros(5, 2))
