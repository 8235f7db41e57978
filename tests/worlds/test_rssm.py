"""DreamerV3's recurrent state-space model: its latents, its memory and its two kinds of games."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from wmplay.bench.plain import plain_world
from wmplay.worlds.protocol import Segment
from wmplay.worlds.recurrent import UNIFORM, BlockGru, BlockLinear, divergence, draw, log_probabilities
from wmplay.worlds.rssm import Rssm, RssmConfig

from .cases import FRAME, MOVES, VECTOR, Case, drift, fit


def vector_world() -> Rssm:
    torch.manual_seed(0)
    return Rssm(RssmConfig(**Rssm.presets["tiny"]), VECTOR, MOVES).eval()


def test_no_class_is_ever_impossible() -> None:
    """Else one surprising frame makes the divergence infinite and the training breaks down."""
    log_share = log_probabilities(torch.tensor([[100.0, 0.0, 0.0, 0.0]]), 4)
    torch.testing.assert_close(log_share.exp().sum(-1), torch.ones(1, 1))
    assert float(log_share.exp().min()) == pytest.approx(UNIFORM / 4)
    assert float(divergence(log_share, log_probabilities(torch.tensor([[0.0, 0.0, 0.0, 100.0]]), 4))) < 10.0


def test_latents_are_drawn_with_their_probabilities() -> None:
    """Else the dream at temperature 1 is not what the model believes."""
    share = torch.tensor([0.7, 0.2, 0.1])
    logits = torch.log(share).expand(20_000, 3)
    share_of = log_probabilities(logits, 3)
    drawn = draw(share_of, torch.rand(share_of.shape, generator=torch.Generator().manual_seed(0)))
    wanted = (1 - UNIFORM) * share + UNIFORM / 3
    torch.testing.assert_close(drawn.mean(0), wanted, atol=0.02, rtol=0.0)
    assert torch.equal(draw(log_probabilities(logits[:1], 3), None), torch.tensor([[1.0, 0.0, 0.0]]))


def test_gradients_pass_straight_through_the_draw() -> None:
    """Else the encoder learns nothing from the pictures."""
    logits = torch.zeros(2, 6, requires_grad=True)
    share_of = log_probabilities(logits, 3)
    drawn = draw(share_of, torch.rand(share_of.shape, generator=torch.Generator().manual_seed(0)))
    (drawn * torch.arange(6.0)).sum().backward()
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) > 0.1


def test_a_block_layer_is_a_block_diagonal_matrix() -> None:
    """Else the memory is not the paper's, and eight times as dear."""
    layer = BlockLinear(8, 12, 4)
    seen = torch.randn(3, 8)
    dense = torch.block_diag(*layer.weight)
    torch.testing.assert_close(layer(seen), seen @ dense + layer.bias)


def test_the_memory_is_slow_to_forget() -> None:
    """Else what was seen a second ago is gone before training has a chance to keep it."""
    memory = BlockGru(32, 16, 4, 16, 4)
    hidden = torch.full((1, 32), 0.5)
    after = memory(hidden, torch.zeros(1, 16), memory.project(torch.zeros(1, 4)))
    assert float(after.mean()) > 0.25


def test_vector_games_are_learned_as_well() -> None:
    """Else CartPole has no recurrent world; the scale of the variables must not matter."""
    world = vector_world()
    segment = drift(16, 8)
    large = segment._replace(observation=segment.observation * 1000.0)
    before, after = fit(world, world.phases[0], large, 120)
    assert after < 0.5 * before
    with torch.no_grad():
        state = world.begin(large)
        error = (world.observe(state) - large.observation[:, -1]).abs().mean() / large.observation.std()
    assert float(error) < 0.5


def test_a_segment_over_an_episodes_end_does_not_look_back() -> None:
    """Else the last game leaks into the first steps of the next one while training."""
    world = vector_world()
    a, b = drift(4, 8, seed=1), drift(4, 8, seed=2)
    first = torch.zeros(4, 8, dtype=torch.bool)
    first[:, 4] = True

    def from_the_middle(before: Segment) -> torch.Tensor:
        joined = [torch.cat((x[:, :4], y[:, 4:]), 1) for x, y in zip(before[:6], b[:6], strict=True)]
        segment = Segment(*joined)._replace(first=first)
        with torch.no_grad():
            return world.features(world.begin(segment))

    torch.testing.assert_close(from_the_middle(a), from_the_middle(b))


def test_blocks_that_do_not_fit_are_explained() -> None:
    """Else the user learns it from a shape error."""
    with pytest.raises(ValidationError, match="multiple of blocks"):
        RssmConfig(deterministic=100, blocks=8)


def test_pictures_are_square_multiples_of_sixteen() -> None:
    """The common size of games must work out of the box."""
    world = Rssm(RssmConfig(**Rssm.presets["tiny"]), FRAME, MOVES)
    assert world.features_size == 32 + 64


def test_the_quick_forms_are_the_plain_layers() -> None:
    """Speed would have been bought with another model than DreamerV3's, and its speed-up be no speed-up."""
    case = Case("rssm")
    world = case.make()
    torch.manual_seed(1)
    for parameter in world.parameters():  # the heads start at zero, which would hide what is wrong with them
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    plain = plain_world(world)
    segment, losses = case.data(2, 6), []
    for side in (world, plain):
        loss, _ = side.loss(segment, "joint", torch.Generator().manual_seed(2))
        loss.backward()
        losses.append(loss.detach())
    assert torch.allclose(losses[0], losses[1], rtol=1e-5)
    theirs = {name: parameter.grad for name, parameter in plain.named_parameters()}
    for name, parameter in world.named_parameters():
        grad, other = parameter.grad, theirs[name]
        assert grad is not None and other is not None, name
        assert torch.allclose(grad, other, rtol=1e-2, atol=1e-4 * float(other.abs().max() + 1e-3)), name
