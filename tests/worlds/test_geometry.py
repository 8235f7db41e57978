"""If these fail, a canvas dream smears its map, sees the wrong side of the world, or turns by the wrong angle."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from wmplay.worlds.geometry import (
    Map,
    align,
    between,
    compose,
    journey,
    most_around,
    sample,
    seen_from,
    shrunk,
    softened,
)
from wmplay.worlds.palette import Palette

STRETCH = torch.tensor([1.0, 1.25])


def _landscape(batch: int, seed: int = 0) -> torch.Tensor:
    """Soft random pictures [B, 3, 64, 64] with something to hold on to everywhere."""
    coarse = torch.rand(batch, 3, 12, 12, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, (64, 64), mode="bicubic", align_corners=False).clamp(0, 1)


def test_composed_motions_move_the_camera_where_they_should() -> None:
    quarter = torch.tensor([[0.0, -3.0, math.pi / 2]])
    pose = torch.zeros(1, 3)
    for _ in range(4):
        pose = compose(pose, quarter)
    assert torch.allclose(pose[:, :2], torch.zeros(1, 2), atol=1e-5)
    assert math.isclose(float(pose[0, 2]), 2 * math.pi, rel_tol=1e-5)


def test_the_most_around_a_pixel_is_looked_for_on_all_sides() -> None:
    """Edges would overshoot on one side of a road, where what is next to them was not seen."""
    picture = torch.rand(2, 5, 7, 6, generator=torch.Generator().manual_seed(0)) - 0.5
    pooled = F.max_pool2d(picture.movedim(-1, 1), 3, 1, 1).movedim(1, -1)
    assert torch.equal(most_around(picture), pooled)


def test_pictures_are_softened_and_shrunk_as_torch_does() -> None:
    """The rim would be darker than the rest, or a small picture lie beside its large one."""
    picture = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(softened(picture), F.avg_pool2d(picture, 3, 1, 1, count_include_pad=False))
    for side in (2, 4):
        torch.testing.assert_close(shrunk(picture, side), F.avg_pool2d(picture, side))


def test_a_journey_is_one_motion_after_the_other() -> None:
    """The memory learns to arrive where it did: turning before or after a step leads to another place."""
    motions = torch.randn(5, 9, 3, generator=torch.Generator().manual_seed(0))
    pose = torch.zeros(5, 3)
    for t, found in enumerate(journey(motions).unbind(1)):
        pose = compose(pose, motions[:, t])
        torch.testing.assert_close(found, pose)


def test_what_is_between_two_poses_leads_from_one_to_the_other() -> None:
    """The painter's lessons begin where the camera was some steps ago."""
    pose, after = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).unbind()
    torch.testing.assert_close(compose(pose, between(pose, after)), after)


def test_alignment_finds_a_known_motion_to_a_tenth_of_a_pixel() -> None:
    before = _landscape(8)
    true = torch.randn(8, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.5, 1.5, 0.04])
    after = sample(before, seen_from(true, STRETCH, 64, 64))
    found = align(before, after, torch.zeros(8, 3), STRETCH, torch.ones(1, 1, 64, 64))
    assert (found - true)[:, :2].abs().max() < 0.1
    assert (found - true)[:, 2].abs().max() < 0.004


def test_alignment_finds_where_edges_are_that_jump_from_pixel_to_pixel() -> None:
    """What maps show would be beside where it is, a little more with each step: errors add up."""
    true = torch.randn(64, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.5, 1.5, 0.04])

    def drawn(points: torch.Tensor) -> torch.Tensor:
        """Light and dark squares [B, 3, 64, 64], each pixel of one of the two, as a game without smooth edges draws."""
        slanted = (points / STRETCH) @ torch.tensor([[0.8, -0.6], [0.6, 0.8]])
        return ((slanted / 11.0).floor().sum(-1) % 2)[:, None].expand(-1, 3, -1, -1)

    before, after = (drawn(seen_from(motion, STRETCH, 64, 64)) for motion in (torch.zeros_like(true), true))
    rough = true + torch.randn(64, 3, generator=torch.Generator().manual_seed(2)) * torch.tensor([0.3, 0.3, 0.01])
    off = align(before, after, rough, STRETCH, torch.ones(1, 1, 64, 64)) - true
    assert off[:, :2].square().mean().sqrt() < 0.04
    assert off[:, 2].square().mean().sqrt() < 0.0015


def test_alignment_without_anything_to_hold_on_to_keeps_the_guess() -> None:
    plain = torch.full((2, 3, 64, 64), 0.5)
    guess = torch.tensor([[1.0, -2.0, 0.1], [0.0, 0.0, 0.0]])
    assert torch.allclose(align(plain, plain, guess, STRETCH, torch.ones(1, 1, 64, 64)), guess)


def test_what_was_written_is_read_from_another_place_across_the_wrap() -> None:
    world = Map(64, 64)
    picture = _landscape(1)
    # Close to where the map begins again, so that the view lies on both sides of it.
    pose = torch.tensor([[100.0, -53.0, 0.3]])
    drawn = world.write(world.empty(1, torch.device("cpu")), pose, STRETCH, picture, torch.ones(1, 1, 64, 64), True)
    motion = torch.tensor([[1.0, -4.0, 0.2]])
    seen, known = world.read(drawn, compose(pose, motion), STRETCH)
    expected = sample(picture, seen_from(motion, STRETCH, 64, 64))
    inner = known[:, :, 8:-8, 8:-8]
    assert inner.float().mean() > 0.9
    error = ((seen - expected)[:, :, 8:-8, 8:-8].abs() * inner).sum() / (3 * inner.sum())
    assert error < 0.02  # it has no edges to be steepened, and is


def test_a_map_keeps_edges_sharp_and_what_may_not_be_written_out() -> None:
    """Dreams were told from the game by their softness: with half as many texels, these stripes are 0.029 off."""
    world, pose = Map(64, 64), torch.tensor([[3.3, 7.2, 1.1]])
    stripes = ((torch.arange(64) // 6) % 2).float().expand(1, 3, 64, 64).contiguous()
    empty = world.empty(1, torch.device("cpu"))
    drawn = world.write(empty, pose, STRETCH, stripes, torch.ones(1, 1, 64, 64), True)
    seen, known = world.read(drawn, pose, STRETCH)
    assert ((seen - stripes).abs() * known).sum() / (3 * known.sum()) < 0.005
    above = (torch.arange(64) < 50).float()[:, None].expand(1, 1, 64, 64)
    drawn = world.write(empty, pose, STRETCH, 0.8 * above.expand(1, 3, 64, 64), above, True)
    written = drawn[:, :3, drawn[0, 3] > 0].float()
    assert ((written - 204.0).abs() <= 2.0).all(), "the bar's black came in"


def test_edges_seen_again_are_as_sharp_as_they_were() -> None:
    """Dreams were told by the rims of their roads: too many pixels were half road, half grass."""
    world, everywhere = Map(64, 64), torch.ones(1, 1, 64, 64)
    start, motion = torch.tensor([[5.2, -3.1, 0.7]]), torch.tensor([[0.6, -2.3, 0.15]])

    def road(pose: torch.Tensor) -> torch.Tensor:
        """A straight road as a camera there sees it, each pixel the mean of 8 x 8 places in it."""
        places = seen_from(pose, torch.full((2,), 8.0), 512, 512) / 8.0
        ahead = (places[..., 0] * 0.8 + places[..., 1] * 0.6).abs() < 9.0
        shares = torch.nn.functional.avg_pool2d(ahead.float()[:, None], 8)
        return torch.lerp(torch.tensor([0.4, 0.8, 0.4])[:, None, None], torch.tensor(0.4), shares)

    def rim(picture: torch.Tensor, where: torch.Tensor) -> float:
        """Pixels that are neither road nor grass."""
        return float(((picture[:, 1:2] > 0.5) & (picture[:, 1:2] < 0.7) & where).sum())

    maps = world.write(world.empty(1, start.device), start, torch.ones(2), road(start), everywhere, True)
    pose = compose(start, motion)
    seen, known = world.read(maps, pose, torch.ones(2))
    real = road(pose)
    assert 0.9 < rim(seen, known) / rim(real, known) < 1.1, "as they are laid down without being steepened: 1.5"
    assert ((seen - real).square() * known).mean() < 2e-5
    assert seen[known.expand_as(seen)].min() > 0.39, "no colour beyond those of road and grass"


def test_places_left_far_behind_are_forgotten_and_not_seen_again_elsewhere() -> None:
    world = Map(64, 64)
    everywhere = torch.ones(1, 1, 64, 64)
    drawn = world.write(
        world.empty(1, torch.device("cpu")), torch.zeros(1, 3), STRETCH, _landscape(1), everywhere, True
    )
    pose = torch.zeros(1, 3)
    for _ in range(26):
        pose = compose(pose, torch.tensor([[0.0, -4.0, 0.0]]))
        # Imagined pictures that add nothing: only the forgetting is at work.
        forgotten = world.forget(drawn, pose)
        drawn = world.write(drawn, pose, STRETCH, _landscape(1), 0.0 * everywhere, False)
        assert torch.equal(forgotten, drawn)
    _, known = world.read(drawn, pose, STRETCH)
    assert not known.any()


def test_imagined_frames_never_paint_over_what_was_seen() -> None:
    world = Map(64, 64)
    everywhere, pose = torch.ones(1, 1, 64, 64), torch.zeros(1, 3)
    real = world.write(world.empty(1, torch.device("cpu")), pose, STRETCH, _landscape(1, 0), everywhere, True)
    dreamed = world.write(real, pose, STRETCH, _landscape(1, 1), everywhere, False)
    assert torch.equal(dreamed, real)
    corrected = world.write(real, pose, STRETCH, _landscape(1, 1), everywhere, True)
    assert not torch.equal(corrected, real)


def test_palette_finds_the_colours_of_a_game_even_the_rare_one() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.tensor([[0.4, 0.8, 0.4], [0.4, 0.4, 0.4], [1.0, 0.0, 0.0]])
    palette = Palette(4)
    for _ in range(60):
        kind = torch.multinomial(torch.tensor([0.7, 0.28, 0.02]), 512, replacement=True, generator=generator)
        palette.learn(truth[kind] + 0.005 * torch.randn(512, 3, generator=generator), generator)
    gap = torch.cdist(truth, palette.colours).amin(-1)
    assert gap.max() < 0.02


def test_what_was_seen_often_is_remembered_from_all_sights_of_it() -> None:
    """The last sight of an edge that jumps from pixel to pixel would be taken for where it is; and what is no longer
    there may not shine through. A dream that is not held against the game shows edges as they jump."""
    world, here, everywhere = Map(64, 64), torch.zeros(1, 3), torch.ones(1, 1, 64, 64)
    grass, road = (torch.full((1, 3, 64, 64), shade) for shade in (0.2, 0.8))
    edge = grass.clone()
    edge[..., 32:] = 0.8
    jumped = grass.clone()
    jumped[..., 33:] = 0.8

    def shown(*sights: torch.Tensor, real: bool = True) -> torch.Tensor:
        maps = world.empty(1, torch.device("cpu"))
        for sight in sights:
            maps = world.write(maps, here, STRETCH, sight, everywhere, real=True)
        return world.read(maps, here, STRETCH, real)[0][0, 0, 32]

    between = shown(edge, edge, jumped)[32]
    assert shown(jumped)[32] + 0.1 < between < shown(edge)[32] - 0.1
    assert torch.allclose(shown(road, road, grass)[4:-4], torch.tensor(0.2), atol=0.01)
    assert torch.equal(shown(edge, edge, jumped, real=False), shown(jumped, real=False))
