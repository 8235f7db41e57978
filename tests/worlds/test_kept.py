"""What a model in use keeps of its weights: quicker, but the same function of them, whatever happens to them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from wmplay.worlds.frame_nets import FrameDecoder
from wmplay.worlds.mdn_lstm import MdnLstm


def fresh() -> MdnLstm:
    return MdnLstm(latent_size=6, actions=3, hidden_size=16, mixtures=4).eval()


def told(memory: MdnLstm) -> list[Tensor]:
    """All that one step says, of the same inputs each time."""
    source = torch.Generator().manual_seed(1)
    latent, action, hidden, cell = (torch.randn(5, size, generator=source) for size in (6, 3, 16, 16))
    hidden, cell = memory.read(latent, action, hidden, cell)
    mixture, reward, end = memory.outcome(hidden, latent)
    return [part.detach().float() for part in (hidden, cell, *mixture, reward, end)]


def learn(memory: MdnLstm) -> None:
    """Nobody calls train(), and a fused optimiser counts no changes."""
    optimiser = torch.optim.AdamW(memory.parameters(), 1e-1, fused=True)
    latent, action, hidden, cell = torch.ones(2, 6), torch.ones(2, 3), torch.ones(2, 16), torch.ones(2, 16)
    hidden, _ = memory.read(latent, action, hidden, cell)
    mixture, reward, end = memory.outcome(hidden, latent)
    (mixture.average().sum() + reward.sum() + end.sum()).backward()
    optimiser.step()


def load(memory: MdnLstm) -> None:
    memory.load_state_dict(fresh().state_dict())


def edit(memory: MdnLstm) -> None:
    with torch.no_grad():
        memory.lstm.recurrent.weight.add_(0.1)
        memory.end.bias.add_(0.1)


@pytest.mark.parametrize("change", [learn, load, edit])
def test_a_dream_follows_what_the_weights_are_now(change: Callable[[MdnLstm], None]) -> None:
    """A model watched while it trains would go on dreaming what it knew at the first look."""
    torch.manual_seed(0)
    memory = fresh()
    with torch.inference_mode():
        before = told(memory)
    torch.testing.assert_close(before, told(memory), rtol=1e-4, atol=1e-5)
    change(memory)
    with torch.inference_mode():
        after = told(memory)
    torch.testing.assert_close(after, told(memory), rtol=1e-4, atol=1e-5)
    for index in (0, -1):
        assert not torch.allclose(after[index], before[index], atol=1e-3)


def test_what_is_kept_rounded_is_not_used_where_nothing_is() -> None:
    """A player's dream after a batch of rounded ones would be rounded too."""
    torch.manual_seed(0)
    memory = fresh()
    with torch.inference_mode():
        exact = told(memory)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = told(memory)
        again = told(memory)
    assert not all(torch.equal(a, b) for a, b in zip(exact, rounded, strict=True))
    torch.testing.assert_close(exact, rounded, rtol=0.05, atol=0.05)
    for mine, other in zip(exact, again, strict=True):
        assert torch.equal(mine, other)


def test_a_copy_keeps_nothing_of_the_original() -> None:
    """Precisions are measured on copies, whose weights count their changes from the start."""
    torch.manual_seed(0)
    memory = fresh()
    with torch.no_grad():
        memory.end.bias.add_(0.0)
    with torch.inference_mode():
        told(memory)
    other = copy.deepcopy(memory)
    with torch.no_grad():
        other.end.bias.add_(1.0)
    with torch.inference_mode():
        torch.testing.assert_close(told(other)[-1], told(memory)[-1] + 1.0)


def test_a_recurrent_worlds_pictures_follow_its_weights() -> None:
    """A model watched while it trains would go on painting as it did at the first look."""
    torch.manual_seed(0)
    decoder, features = FrameDecoder(32, 4, 6).eval(), torch.randn(3, 6)
    with torch.inference_mode():
        before = decoder(features)
    with torch.no_grad():
        decoder.layers[8].weight.mul_(2.0)
        decoder.layers[2].bias.add_(0.5)
    with torch.inference_mode():
        after = decoder(features)
    torch.testing.assert_close(after, decoder(features).detach(), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(before, after, atol=1e-3)
