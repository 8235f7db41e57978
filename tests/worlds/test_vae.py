"""The VAE in use: quicker than in training, but the same function of the same weights, whatever happens to them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from wmplay.worlds.vae import Vae


def in_training(vae: Vae, latent: Tensor) -> Tensor:
    """The picture by the path that gradients take."""
    with torch.enable_grad():
        return vae.decode(latent).detach()


def learn(vae: Vae) -> None:
    vae.train()
    optimiser = torch.optim.AdamW(vae.parameters(), 1e-2, fused=True)
    vae.decode(torch.ones(2, 8)).square().mean().backward()
    optimiser.step()
    vae.eval()


def learn_without_a_word(vae: Vae) -> None:
    """As above, but nobody calls train()."""
    optimiser = torch.optim.AdamW(vae.parameters(), 1e-2, fused=True)
    vae.decode(torch.ones(2, 8)).square().mean().backward()
    optimiser.step()


def load(vae: Vae) -> None:
    vae.load_state_dict(Vae(8, 4).state_dict())


def edit(vae: Vae) -> None:
    with torch.no_grad():
        vae.from_latent.bias.add_(1.0)


@pytest.mark.parametrize("change", [learn, learn_without_a_word, load, edit])
def test_a_dream_shows_what_the_weights_are_now(change: Callable[[Vae], None]) -> None:
    """A model watched while it trains would go on showing what it knew at the first look."""
    torch.manual_seed(0)
    vae, latent = Vae(8, 4).eval(), torch.randn(3, 8)
    with torch.inference_mode():
        before = vae.decode(latent)
    assert torch.allclose(before, in_training(vae, latent), atol=1e-6)
    change(vae)
    with torch.inference_mode():
        after = vae.decode(latent)
    assert torch.allclose(after, in_training(vae, latent), atol=1e-6)
    assert not torch.allclose(after, before, atol=1e-4)


def test_a_model_in_use_can_be_copied_and_moved() -> None:
    """Measuring precisions works on a copy of the model."""
    vae, latent = Vae(8, 4).eval(), torch.randn(3, 8)
    with torch.inference_mode():
        vae.decode(latent)
    other = copy.deepcopy(vae).double()
    with torch.inference_mode():
        shown = other.decode(latent.double())
    assert torch.allclose(shown, in_training(other, latent.double()), atol=1e-6)
