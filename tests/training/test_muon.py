"""If these fail, layers learn along a few directions only, or what is no matrix learns nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wmplay.training import muon
from wmplay.training.muon import PIECE, SIZE, Muon, orthogonal


@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (64, 64)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = torch.linalg.svdvals(orthogonal([matrix])[0])
    assert found.max() < 1.3 and (found > 0.5).float().mean() > 0.95, "all but what is next to 0"
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    exact = u @ v
    assert float((orthogonal([matrix])[0] * exact).sum() / exact.square().sum()) > 0.8


def test_a_long_matrix_is_brought_near_one_by_its_square_as_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where directions are next to nothing, as those of gradients are: in the square they are less than that."""
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.linalg.qr(torch.randn(n, 40, generator=generator))[0] for n in (40, 300))
    for values in (torch.logspace(0, -6, 40), torch.eye(40)[0], torch.zeros(40)):
        matrix = 1e-3 * (u * values) @ v.T
        found = orthogonal([matrix])[0]
        assert torch.equal(found, orthogonal([matrix], rounded=True)[0]), "exact is quicker than rounded here"
        with monkeypatch.context() as patch:
            patch.setattr(muon, "LONG", 1000)
            torch.testing.assert_close(found, orthogonal([matrix])[0], atol=1e-4, rtol=1e-3)


def test_rounded_steps_are_as_long_and_go_the_same_way() -> None:
    """In bfloat16 directions are found in half the time; it may cost no direction."""
    gradient = torch.randn(96, 200, generator=torch.Generator().manual_seed(0))
    steps = []
    for rounded in (False, True):
        weight = torch.zeros(96, 200, requires_grad=True)
        weight.grad = gradient.clone()
        Muon([weight], rounded=rounded, lr=0.01, weight_decay=0.0, fused=True).step()
        assert weight.dtype == torch.float32
        steps.append(weight.detach())
    assert float((steps[0] - steps[1]).norm() / steps[0].norm()) < 0.05
    assert not torch.equal(*steps)


@pytest.mark.parametrize("tall", [False, True])
def test_a_large_matrix_is_taken_in_pieces_and_its_step_is_as_long(tall: bool) -> None:
    matrix = torch.randn(2 * PIECE, 3 * PIECE, generator=torch.Generator().manual_seed(0))
    found = orthogonal([matrix.t()])[0].t() if tall else orthogonal([matrix])[0]
    for half in (slice(PIECE), slice(PIECE, None)):
        assert torch.allclose(found[half], orthogonal([matrix[half]])[0], atol=1e-5)
    length = found.square().mean().sqrt() * (3 * PIECE) ** 0.5
    assert float(length) == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize("tall", [False, True])
def test_a_step_is_as_long_for_a_convolution_as_for_a_layer_whatever_its_gradient(tall: bool) -> None:
    rate = 0.01
    wide_layers = (nn.Linear(288, 48, bias=False), nn.Conv2d(32, 48, 3, bias=False))
    tall_layers = (nn.Linear(48, 288, bias=False), nn.Conv2d(4, 160, 3, bias=False))
    for layer in tall_layers if tall else wide_layers:
        for scale in (1e-4, 1e2):
            before = layer.weight.detach().clone()
            layer.weight.grad = scale * torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(0))
            Muon([layer.weight], lr=rate, weight_decay=0.0, fused=True).step()
            length = (layer.weight.detach() - before).square().mean().sqrt()
            # As many entries as the long side has are shared out over each unit vector of it.
            assert float(length) == pytest.approx(rate * SIZE, rel=0.25)


def test_what_is_no_matrix_takes_the_steps_of_adam() -> None:
    torch.manual_seed(0)
    layer, other = nn.Linear(64, 64), nn.Linear(64, 64)
    other.load_state_dict(layer.state_dict())
    thin, same = nn.Linear(64, 3), nn.Linear(64, 3)
    same.load_state_dict(thin.state_dict())
    ours = Muon([*layer.parameters(), *thin.parameters()], lr=0.01, fused=True)
    adam = torch.optim.AdamW([*other.parameters(), *same.parameters()], lr=0.01, fused=True)
    for _ in range(3):
        for a, b in zip((layer, thin), (other, same), strict=True):
            for p, q in zip(a.parameters(), b.parameters(), strict=True):
                p.grad = torch.randn_like(p)
                q.grad = p.grad.clone()
        ours.step()
        adam.step()
    assert torch.equal(layer.bias, other.bias) and torch.equal(thin.weight, same.weight)
    assert not torch.allclose(layer.weight, other.weight)


def test_matrices_taken_together_go_as_each_by_itself() -> None:
    """Those of one shape are computed at once; mixed up, a layer would take another's step."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((40, 90), (2 * PIECE + 5, 300), (90, 40), (40, 90), (64, 64), (300, PIECE))
    matrices = [torch.randn(shape, generator=generator) for shape in shapes]
    together = orthogonal(matrices)
    assert [tuple(found.shape) for found in together] == list(shapes)
    for matrix, found in zip(matrices, together, strict=True):
        assert torch.allclose(found, orthogonal([matrix])[0], atol=1e-5)
