"""The VAE in use: quicker than in training, but the same function of the same weights, whatever happens to them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from wmplay.bench.plain import plain_world
from wmplay.bench.plain_vae import PlainVae
from wmplay.worlds.blocks import to_uint8
from wmplay.worlds.strided import Grown, WindowsTaught, patched, unpatched
from wmplay.worlds.vae import DECODED_AT_ONCE, Vae

from .cases import Case


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


def test_a_batch_of_frames_is_the_rounded_images_however_it_is_cut() -> None:
    """A wall of dreams would show other pictures than the dream alone."""
    vae = Vae(8, 4).eval()
    latent = torch.randn(DECODED_AT_ONCE + 3, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(vae.frames(latent), to_uint8(vae.decode(latent)))


def test_a_model_in_use_can_be_copied_and_moved() -> None:
    """Measuring precisions works on a copy of the model."""
    vae, latent = Vae(8, 4).eval(), torch.randn(3, 8)
    with torch.inference_mode():
        vae.decode(latent)
    other = copy.deepcopy(vae).double()
    with torch.inference_mode():
        shown = other.decode(latent.double())
    assert torch.allclose(shown, in_training(other, latent.double()), atol=1e-6)


@pytest.mark.parametrize("size", [(8, 4), (32, 32)])
def test_the_quick_forms_are_the_papers_layers(size: tuple[int, int]) -> None:
    """A slot trained with other code, or a figure beside the paper's, would be of another model than it says."""
    torch.manual_seed(0)
    vae = Vae(*size)
    with torch.no_grad():
        vae.seed.bias.view(25, -1).copy_(vae.seed.bias.view(25, -1)[0].clone())  # one for all pixels, as in the paper
    plain = PlainVae(vae)
    frames = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8)
    ours = vae.loss(frames, 0.0, torch.Generator().manual_seed(1))
    theirs = plain.loss(frames, 0.0, torch.Generator().manual_seed(1))
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, rtol=1e-4)
    ours[0].backward()
    theirs[0].backward()
    for mine, other in zip((*vae.down, *vae.up), (*plain.down, *plain.up[1:]), strict=True):
        assert torch.allclose(mine.weight.grad, other.weight.grad, rtol=1e-3, atol=1e-4 * other.weight.grad.abs().max())
    latent = torch.randn(3, size[0])
    with torch.inference_mode():
        assert torch.allclose(vae.eval().decode(latent), plain.decode(latent), atol=1e-4)
    mine, other = vae.seed.weight.grad, plain.up[0].weight.grad.permute(2, 3, 1, 0).flatten(0, 2)
    assert torch.allclose(mine, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize(("side", "shape"), [(2, (2, 8, 4, 3)), (4, (1, 8, 8, 1)), (8, (1, 16, 8, 3))])
def test_patches_hold_the_frame(side: int, shape: tuple[int, ...]) -> None:
    """The model would learn a shuffled picture."""
    frames = torch.randint(0, 256, shape, dtype=torch.uint8)
    patches = patched(frames, side)
    first = frames[:, :side, :side].flatten(1)
    assert torch.equal(patches[:, 0, 0], first)
    assert torch.equal(unpatched(patches, side), frames)


def test_the_plain_memory_of_the_bench_computes_the_same() -> None:
    """Else the training ratio would compare two different models."""
    case = Case("vae_mdn")
    world = case.make()
    spec = next(spec for spec in world.phases if spec.name == "memory")
    segment = case.data(4, spec.length)
    flat = world.encode(segment.observation.flatten(0, 1)).unflatten(0, segment.reward.shape)
    segment = segment._replace(observation=flat)
    found = []
    for model in (world, plain_world(world)):
        model.requires_grad_(True)
        loss, _ = model.loss(segment, "memory", torch.Generator().manual_seed(0))
        loss.backward()
        found.append(
            [loss.detach(), *(p.grad for p in model.get_submodule("memory").parameters() if p.grad is not None)]
        )
    assert len(found[0]) == len(found[1]) > 5
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("side", [2, 5])
def test_layers_in_bfloat16_are_torchs_own_and_so_are_their_gradients(side: int) -> None:
    """Where they are quicker, training would teach another network than the one that dreams."""
    torch.manual_seed(0)
    small, kernel = torch.randn(3, 6, side, side), torch.randn(6, 4, 5, 5)
    large, shrinking, bias = torch.randn(3, 4, 2 * side + 3, 2 * side + 3), torch.randn(6, 4, 4, 4), torch.randn(6)
    pairs = (
        (Grown.apply, lambda x, w: F.conv_transpose2d(x, w, stride=2), (small, kernel)),
        (lambda *given: WindowsTaught.apply(*given, 2), lambda x, w, b: F.conv2d(x, w, b, 2), (large, shrinking, bias)),
    )
    for ours, theirs, given in pairs:
        found = []
        for layer in (ours, theirs):
            x, *weights = (part.clone(memory_format=torch.preserve_format).requires_grad_() for part in given)
            shown = layer(x.contiguous(memory_format=torch.channels_last), *weights)
            shown.square().sum().backward()
            found.append([shown.detach(), x.grad, *(weight.grad for weight in weights)])
        for mine, other in zip(*found, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_in_bfloat16_the_same_pictures_and_gradients() -> None:
    """What is quicker there would learn or show something else than float32 does."""
    torch.manual_seed(0)
    vae = Vae(32, 32)
    frames = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
    found = []
    for rounded in (False, True):
        vae.train().zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            loss = vae.loss(frames, 0.0, torch.Generator().manual_seed(1))[0]
        loss.backward()
        gradients = [part.grad.clone() for part in (vae.up[0].weight, vae.down[2].weight, vae.down[2].bias)]
        latent = torch.linspace(-1.0, 1.0, 64).view(2, 32)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            shown = vae.eval().frames(latent)
        found.append((gradients, shown.int()))
    (exact, picture), (rounded, other) = found
    for mine, theirs in zip(rounded, exact, strict=True):
        assert F.cosine_similarity(mine.flatten(), theirs.flatten(), dim=0) > 0.98
    assert int((picture - other).abs().max()) <= 2
