"""If these fail, dreams of patterned ground make up at each stroke what they could have known: squares become blobs."""

from __future__ import annotations

import math

import torch

from wmplay.worlds.geometry import compose, pixel_centres
from wmplay.worlds.palette import Palette
from wmplay.worlds.pattern import Pattern, Tile

STRETCH = torch.tensor([1.0, 1.25])
PERIOD = 26.55
MEADOW, SQUARE, ROAD = torch.tensor([[0.4, 0.8, 0.4], [0.4, 0.9, 0.4], [0.4, 0.4, 0.4]])


def _meadow(poses: torch.Tensor, height: int = 64, width: int = 64, period: float = PERIOD) -> torch.Tensor:
    """A meadow with squares half a period wide and a road, seen from poses (x, y, angle) [B, 3]: [B, 3, H, W]."""
    rays = pixel_centres(height, width) / STRETCH
    turn = poses[:, 2, None, None]
    x = poses[:, 0, None, None] + rays[..., 0] * turn.cos() - rays[..., 1] * turn.sin()
    y = poses[:, 1, None, None] + rays[..., 0] * turn.sin() + rays[..., 1] * turn.cos()
    square = ((x % period < period / 2) & (y % period < period / 2))[..., None]
    picture = torch.where(square, SQUARE, MEADOW)
    return torch.where(((x - 0.3 * y).abs() < 5.0)[..., None], ROAD, picture).movedim(-1, 1).contiguous()


def _poses(batch: int, seed: int) -> torch.Tensor:
    lot = torch.rand(batch, 3, generator=torch.Generator().manual_seed(seed))
    return lot * torch.tensor([80.0, 80.0, 2 * math.pi])


def _palette() -> Palette:
    palette = Palette(4)
    palette.colours[:3] = torch.stack((ROAD, MEADOW, SQUARE))
    palette.mass[:3] = torch.tensor([1.0, 8.0, 3.0])
    return palette


def _taught(palette: Palette) -> Pattern:
    pattern = Pattern()
    for seed in range(8):
        pattern.learn(_meadow(_poses(8, seed)), torch.ones(8, 1, 64, 64), palette, STRETCH)
    return pattern


def _seen_in(pattern: Pattern, pictures: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """What pictures tell of what is not known in them."""
    here = torch.zeros(len(pictures), 3)
    return pattern.foretold(pattern.found(pictures * known, known, here, _palette(), STRETCH), pictures, here, STRETCH)


def test_a_period_is_learned_to_a_fraction_of_a_pixel() -> None:
    """A hundredth too short, and ten squares on it is a tenth of a square off."""
    assert abs(float(_taught(_palette())._period(torch.zeros(1, 3, 64, 64))) - PERIOD) < 0.15


def test_a_wide_frame_is_not_laid_over_its_other_end() -> None:
    """Moved up by more than its height a picture covers nothing, which says nothing of how long the pattern is."""
    palette, pattern = _palette(), Pattern()
    for seed in range(8):
        poses = _poses(8, seed)
        pictures = _meadow(torch.cat((2.0 * poses[:, :2], 0.05 * poses[:, 2:]), dim=1), 32, 128, 2.0 * PERIOD)
        pattern.learn(pictures, torch.ones(8, 1, 32, 128), palette, STRETCH)
    period = float(pattern._period(torch.zeros(1, 3, 32, 128)))
    assert abs(period - 2.0 * PERIOD) < 0.5, f"{period:.2f}"


def test_a_pattern_foretells_what_was_never_in_sight() -> None:
    """Where it lies is read off each picture; how long it is, was learned from others."""
    palette = _palette()
    pattern, pictures = _taught(palette), _meadow(_poses(12, 99))
    known = torch.zeros(12, 1, 64, 64)
    known[..., 26:, :] = 1.0
    sure, shade = _seen_in(pattern, pictures, known).unbind(1)
    truth = (pictures[:, 1] > 0.85).float()
    new = (known[:, 0] == 0.0) & (pictures[:, 1] > 0.7) & (sure > 0.3)
    assert new.float().mean() > 0.15, "most of the meadow ahead"
    right = ((shade > 0.0).float() == truth)[new].float().mean()
    assert right > 0.93, f"{right:.3f}; three quarters are meadow without a square"


def test_a_tile_is_kept_however_far_one_goes() -> None:
    """Dreams painted squares after squares that they had painted before, and in the end blobs after blobs."""
    palette, nothing = _palette(), torch.zeros(6, 1, 64, 64)
    pattern, here, everywhere = _taught(palette), torch.zeros(6, 3), torch.ones(6, 1, 64, 64)
    starts, away = _poses(6, 99), torch.tensor([70.0, -55.0, 2.1]).expand(6, 3)
    tile = pattern.found(_meadow(starts), everywhere, here, palette, STRETCH)
    blind = pattern.found(_meadow(starts), nothing, here, palette, STRETCH, tile)
    assert torch.equal(blind.angle, tile.angle) and torch.equal(blind.trust, tile.trust)
    seen = _meadow(compose(starts, away))
    sure, shade = pattern.foretold(blind, seen, away, STRETCH).unbind(1)
    new = (seen[:, 1] > 0.7) & (sure > 0.3)
    assert new.float().mean() > 0.3
    right = ((shade > 0.0) == (seen[:, 1] > 0.85))[new].float().mean()
    assert right > 0.85, f"{right:.3f}"
    # Who sees better now how it lies, forgets what was folded otherwise.
    lost = Tile(torch.rand_like(tile.cell), tile.angle + 0.4, 0.5 * tile.trust)
    again = pattern.found(_meadow(starts), everywhere, here, palette, STRETCH, lost)
    torch.testing.assert_close(again, tile)


def test_where_nothing_repeats_itself_nothing_is_foretold() -> None:
    """A hint that is no better than a guess would be believed wherever it is."""
    palette = _palette()
    pattern = _taught(palette)
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(12, 1, 8, 8, generator=generator).repeat_interleave(8, 2).repeat_interleave(8, 3)
    blotches = torch.where(coarse > 0.75, SQUARE[:, None, None], MEADOW[:, None, None])
    known = torch.ones(12, 1, 64, 64)
    plain = MEADOW[:, None, None].expand(12, 3, 64, 64)

    def sure(pictures: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        return _seen_in(pattern, pictures, known)[:, 0].mean()

    meadow = sure(_meadow(_poses(12, 99)), known)
    assert meadow > 0.5
    assert sure(blotches, known) < 0.6 * meadow
    assert sure(plain, known) < 0.01
    assert sure(plain, torch.zeros_like(known)) == 0.0


def test_a_pattern_nobody_learned_foretells_nothing() -> None:
    """Slots from before there were patterns go on as they were."""
    known = torch.ones(4, 1, 64, 64)
    assert not _seen_in(Pattern(), _meadow(_poses(4, 0)), known).any()
