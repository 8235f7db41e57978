"""The painter of a canvas: its modes, what it learns from whom, and how a dream lays new land down."""

from __future__ import annotations

from unittest.mock import patch

import torch

from tests.worlds.cases import pan, tiny_canvas
from wmplay.bench.plain_frames import plain_part
from wmplay.worlds.canvas import Canvas, CanvasState
from wmplay.worlds.glances import GLANCE_SIZE
from wmplay.worlds.looking import PICTURES_AHEAD, STROKE, look_around, odds
from wmplay.worlds.painter import EXPECTED, GUIDE, MODES, Painter, Up, blocks, whole
from wmplay.worlds.painting import BOTH, WIDEST, mixture_loss, stroke
from wmplay.worlds.pattern import Tile
from wmplay.worlds.protocol import Segment


def test_a_mode_is_a_whole_picture() -> None:
    """Chosen pixel by pixel, what belongs together came apart: roads whose sides did not know of each other."""
    torch.manual_seed(0)
    painter = Painter(4, 8, GLANCE_SIZE, 3, 32, 32)
    generator = torch.Generator().manual_seed(0)
    empty = torch.zeros(16, 1, 32, 32)
    nothing = (empty.expand(-1, 3, -1, -1), empty, empty, empty.expand(-1, 2, -1, -1))
    asking = (*nothing, torch.zeros(16, GUIDE), torch.zeros(16, 4, 32, 32))
    optimiser = torch.optim.Adam(painter.parameters(), lr=1e-2)
    for _ in range(160):  # all of one colour, or all of another, by a coin
        answer = torch.randint(1, 3, (16,), generator=generator)
        features, modes = painter(*asking)
        choices = torch.stack([painter.colours_of(features, mode) for mode in range(MODES)], 1)
        right = choices.log_softmax(-1)[torch.arange(16), ..., answer].flatten(2).sum(2)
        loss, nll = mixture_loss(right, modes, torch.full((16,), 1024))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(nll.detach()) < 0.1, "0.69 nats for each pixel if each throws its own coin, 0.0007 if all throw one"
    features, modes = painter(*asking)
    each = torch.stack([painter.colours_of(features[0].flatten(0, 1), mode) for mode in range(MODES)])
    shown, share = each.argmax(-1).flatten(1), modes[0].softmax(0)
    assert all((picture == picture[0]).all() for picture in shown[share > 0.02])
    heads = float(share[shown[:, 0] == 1].detach().sum())
    assert 0.2 < heads < 0.8, "one of two pictures, by a coin"


def test_the_way_up_is_the_convolution_of_a_larger_picture() -> None:
    """Also at the picture's rim, in what it teaches, and after the weights have changed."""
    torch.manual_seed(0)
    ours = Up(6, 4, 5)
    plain = plain_part(ours)
    assert plain is not None
    small, skip = torch.randn(2, 6, 3, 5, requires_grad=True), torch.randn(2, 4, 6, 10, requires_grad=True)
    taught = (small, skip, ours.mix.weight, ours.mix.bias)
    found = []
    for layer in (ours, plain):
        up = layer(small, skip)
        found.append((up, *torch.autograd.grad(up.square().sum(), taught)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    ours.eval()
    for _ in range(2):
        with torch.no_grad():
            torch.testing.assert_close(ours(small, skip), plain(small, skip), atol=1e-5, rtol=1e-4)
            ours.mix.weight.mul_(2.0)


def test_a_guide_follows_a_segment_as_it_follows_step_by_step() -> None:
    """Training reads segments, dreams go step by step: they must be the same guide."""
    torch.manual_seed(0)
    painter = Painter(4, 8, GLANCE_SIZE, 3, 32, 32)
    steps, looks = torch.randn(3, 6, 3), torch.randn(3, 6, GUIDE // 2 + 1)
    keep = torch.ones(3, 6)
    keep[1, 3] = 0.0  # a new episode
    guide = torch.zeros(3, GUIDE)
    for t in range(6):
        guide = painter.follow(guide * keep[:, t, None], steps[:, t], looks[:, t])
    torch.testing.assert_close(painter.follow_segment(steps, looks, keep), guide, atol=1e-5, rtol=1e-4)


def test_weights_of_a_painter_with_one_way_to_go_on_load() -> None:
    painter = Painter(4, 8, GLANCE_SIZE, 3, 32, 32)
    new = ("lean", "leave", "leave_bias", "mode")
    old = {name: value for name, value in painter.state_dict().items() if name.partition(".")[0] not in new}
    leave = torch.nn.Conv2d(12, 16, 1)
    painter.load_state_dict(old | {"leave.weight": leave.weight, "leave.bias": leave.bias})
    features = torch.randn(5, 12)
    shown = leave(torch.nn.functional.silu(features)[..., None, None]).flatten(1)
    assert all(torch.allclose(painter.colours_of(features, m).flatten(1), shown, atol=1e-6) for m in range(MODES))
    # And of one that knew no more of what is to be expected than its modes do.
    with torch.no_grad():
        painter.leave.normal_()
    old = painter.state_dict()
    short = {name: old[name][:MODES] for name in ("lean", "leave", "leave_bias")}
    del old["foretells"]
    painter.load_state_dict(old | short)
    assert torch.allclose(painter.leave[EXPECTED], old["leave"][:MODES].mean(0))
    assert not painter.foretells


def test_weights_of_a_painter_that_saw_no_pattern_load() -> None:
    """Slots from before go on as they were."""
    torch.manual_seed(0)
    painter = Painter(4, 8, GLANCE_SIZE, 3, 32, 32)
    seen = (torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32), torch.zeros(2, 1, 32, 32), torch.rand(2, 2, 32, 32))
    asking = (*seen, torch.zeros(2, GUIDE), torch.zeros(2, 4, 32, 32))
    with torch.no_grad():
        painter.enter.weight[:, 20:] = 0.0
        before = painter(*asking)[0]
        old = {name: value for name, value in painter.state_dict().items() if not name.startswith("pattern.")}
        old["enter.weight"] = old["enter.weight"][:, :20].clone()
        painter.enter.weight.normal_()
        assert not torch.allclose(painter(*asking)[0], before)
        painter.pattern.lessons.fill_(7)
        painter.load_state_dict(old)
        torch.testing.assert_close(painter(*asking)[0], before)
    assert painter.pattern.lessons == 0


def test_what_a_painter_goes_on_from_in_its_own_hand_lies_beside_what_is_known() -> None:
    """A stroke on what was seen would teach it to paint over the game."""
    world = tiny_canvas()
    vision, painter = world.vision, world.painter
    colour, picture = torch.rand(4, 3, 64, 64), torch.rand(4, 3, 64, 64)
    known = torch.zeros(4, 1, 64, 64)
    known[..., 30:50, 20:40] = 1.0
    known[3] = 0.0
    fixed = torch.zeros(4, 1, 64, 64)
    fixed[..., 35:40, 42:] = 1.0
    given = (colour * known, known, fixed, torch.zeros(4, 2, 64, 64), torch.zeros(4, 4, 32, 32), picture)
    own, more = stroke(vision, painter, torch.Generator().manual_seed(0), *given)
    assert torch.equal(own * known, colour * known)
    assert not (more * fixed).any(), "the screen is nobody's land"
    assert not more[3].any(), "beside nothing is nothing"
    fresh = (more - known)[0, 0] > 0.0
    where = fresh.nonzero()
    assert fresh.any()
    assert where[:, 0].min() >= 30 - WIDEST and where[:, 0].max() < 50 + WIDEST
    assert own[:3].movedim(1, -1)[:, fresh].std(-2).max() > 0.0


def test_a_painter_goes_on_from_the_mode_that_is_nearest_what_came() -> None:
    """Another's road would lead away from the lesson's."""
    world = tiny_canvas()
    with torch.no_grad():
        world.painter.leave_bias.zero_()
        for mode in range(MODES):
            world.painter.leave_bias[mode].unflatten(-1, (4, -1))[..., mode % 8] = 100.0
        world.vision.palette.colours.copy_(torch.linspace(0.0, 1.0, 8)[:, None].expand(-1, 3))
    answer = torch.tensor([2, 5, 7])
    picture = world.vision.palette.colours[answer][..., None, None].expand(-1, -1, 64, 64)
    known = torch.zeros(3, 1, 64, 64)
    known[..., 20:, :] = 1.0
    nothing = torch.zeros(3, 1, 64, 64)
    given = (picture * known, known, nothing, nothing.expand(-1, 2, -1, -1), torch.zeros(3, 4, 32, 32), picture)
    own, more = stroke(world.vision, world.painter, torch.Generator().manual_seed(0), *given)
    assert more.sum() > known.sum()
    torch.testing.assert_close(own, picture * more, atol=1e-3, rtol=0.0)


def test_a_painter_that_never_learned_what_is_to_be_expected_mixes_its_modes() -> None:
    """One picture that is the mean of what all modes read off it is none of theirs."""
    world = tiny_canvas()
    with torch.no_grad():
        world.vision.fixed_logit.fill_(-1.0)
    segment = pan(2, 8)
    state = world.begin(segment)
    lost = state._replace(canvas=torch.zeros_like(state.canvas))

    def shown() -> torch.Tensor:
        return world.step(lost, segment.action[:, -1], 0.0)[0].frame.float()

    def sharpen(which: slice | int, colour: int) -> None:
        with torch.no_grad():
            world.painter.leave_bias[which] = 0.0
            world.painter.leave_bias[which].unflatten(-1, (4, -1))[..., colour] = 100.0

    sharpen(slice(None), 1)
    sharpen(EXPECTED, 2)
    mixed = shown()
    world.painter.foretells.fill_(True)
    learned = shown()
    colours = 255.0 * world.vision.palette.colours
    middle = (slice(None), slice(None), 20, 20)
    assert (learned[middle] - colours[2]).abs().max() < 1.0
    assert (mixed[middle] - colours[1]).abs().max() < 1.0


def _lessons() -> Segment:
    """Frames, with what is encoded of them beside."""
    segment, world = pan(8, 10), tiny_canvas()
    rows = segment.observation.flatten(0, 1)
    flat = world.encode_after(torch.cat((rows[:1], rows[:-1])), rows)
    return segment._replace(encoded=flat.unflatten(0, segment.reward.shape))


def _heads_taught(world: Canvas, painter: Painter, phase: str) -> list[int]:
    """Which heads of a painter a lesson teaches anything."""
    world.requires_grad_(True).zero_grad()
    loss, metrics = world.loss(_lessons(), phase, torch.Generator().manual_seed(0))
    loss.backward()
    assert all(torch.isfinite(value) for value in metrics.values())
    assert painter.leave.grad is not None
    return (painter.leave.grad.flatten(1).abs().amax(1) > 0.0).nonzero().flatten().tolist()


def test_what_is_to_be_expected_is_learned_from_all_that_was_seen_and_nothing_else() -> None:
    """Led or not: two pictures of three teach more than two of five. But not from the painter's own hand."""
    world = tiny_canvas()
    painter = world.painter.train()
    assert not painter.foretells
    modes = list(range(MODES))
    with patch.dict("wmplay.worlds.canvas.LESSONS", painter=BOTH._replace(unled=1.0)):
        assert _heads_taught(world, painter, "painter") == [*modes, MODES]
    assert painter.foretells
    with patch("wmplay.worlds.painting.OWN", 1.0):
        assert _heads_taught(world, painter, "painter") == modes


def test_modes_and_what_is_to_be_expected_part_ways() -> None:
    """What a played dream shows and what one held against the game shows are learned apart, from one beginning."""
    world = tiny_canvas()
    painter, teller = world.painter.train(), world.foreteller.train()
    assert _heads_taught(world, painter, "painter")
    assert world.teller is painter
    world.prepare("modes")
    assert world.teller is painter
    world.prepare("expected")
    assert world.teller is teller
    assert torch.equal(teller.leave[EXPECTED], painter.leave[EXPECTED])
    assert torch.equal(teller.lean[EXPECTED], painter.lean[EXPECTED])
    assert torch.equal(teller.enter.weight, painter.enter.weight)
    assert _heads_taught(world, painter, "modes") == list(range(MODES))
    assert painter.guide.weight_ih.grad is None, "a dream that shows modes is not led"
    assert _heads_taught(world, teller, "expected") == [0]
    assert teller.guide.weight_ih.grad is not None and painter.leave.grad is None
    # What it learned since is not thrown away when training goes on.
    with torch.no_grad():
        teller.leave += 1.0
    world.prepare("expected")
    assert not torch.equal(teller.leave[EXPECTED], painter.leave[EXPECTED])


def test_modes_are_learned_from_further_away() -> None:
    """In a strip at the edge a bend is a pixel: modes told squares on the grass apart there, and no road bent."""
    lesson, world = _lessons(), tiny_canvas()
    assert lesson.encoded is not None
    lesson.encoded[..., :3] = torch.tensor([0.0, -4.0, 0.0])  # straight on

    def unknown(phase: str) -> float:
        generator = torch.Generator().manual_seed(0)
        return sum(float(world.loss(lesson, phase, generator)[1]["unknown"]) for _ in range(8))

    assert unknown("modes") > 1.1 * unknown("painter")


def test_what_is_to_be_expected_is_shown_where_a_dream_is_held_against_the_game_alone() -> None:
    world = tiny_canvas()
    segment = pan(4, 8)
    state = world.begin(segment)
    state = state._replace(canvas=torch.zeros_like(state.canvas))  # nothing is known
    weights = world.state_dict()

    def shown(temperature: float) -> torch.Tensor:
        return world.step(state, segment.action[:, -1], temperature, torch.Generator().manual_seed(0))[0].frame

    before = [shown(temperature) for temperature in (0.0, 1.0)]
    world.foreteller.foretells.fill_(True)
    after = [shown(temperature) for temperature in (0.0, 1.0)]
    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [False, True]
    # Slots from before, which have no such net, go on as they were.
    old = tiny_canvas()
    old.load_state_dict({name: value for name, value in weights.items() if not name.startswith("foreteller.")})
    assert old.teller is old.painter


def test_dreams_are_not_led_by_those_who_wait_to_see_where_they_go() -> None:
    """Roads went straight on because drivers did, who had nothing else to go by: 18 degrees in 100 units, not 66."""
    world = tiny_canvas()
    segment = pan(4, 8)
    state = world.begin(segment)
    state = state._replace(canvas=torch.zeros_like(state.canvas))  # nothing is known
    led = state._replace(guide=torch.randn(state.guide.shape))
    action = segment.action[:, -1]

    def shown(state: CanvasState, temperature: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        for _ in range(8):
            state, _, _ = world.step(state, action, temperature, generator)
        return state.frame

    assert torch.equal(shown(led, 1.0), shown(state, 1.0))
    assert not torch.equal(shown(led, 0.0), shown(state, 0.0))


def test_a_played_dream_shows_the_last_sight_and_one_held_against_the_game_all_of_them() -> None:
    """Rims that many sights tell lie nearer to the game's, but glide where the game's jump, and judges see it."""
    world = tiny_canvas()
    with torch.no_grad():
        world.vision.fixed_logit.fill_(-1.0)  # the frame shows the world
    segment = pan(4, 8)
    state = world.begin(segment)
    last, fused = state.canvas.clone(), state.canvas.clone()
    last[:, :3], fused[:, 4:7] = 255 - last[:, :3], 255 - fused[:, 4:7]

    def shown(canvas: torch.Tensor, temperature: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return world.step(state._replace(canvas=canvas), segment.action[:, -1], temperature, generator)[0].frame

    for temperature, read, other in ((1.0, last, fused), (0.0, fused, last)):
        assert torch.equal(shown(other, temperature), shown(state.canvas, temperature))
        assert not torch.equal(shown(read, temperature), shown(state.canvas, temperature))


def test_what_is_new_is_laid_down_in_broad_strokes() -> None:
    """Laid down as it came into view, a road was made of strips of a pixel or two, whose edges did not quite meet."""
    world = tiny_canvas()
    with torch.no_grad():
        world.vision.fixed_logit.fill_(-1.0)  # the frame shows the world
    state, vision, paper = world.begin(pan(2, 8)), world.vision, world.map
    picture = world.observe(state).movedim(-1, 1) / 255.0
    blank = paper.empty(2, picture.device)
    seen = paper.write(blank, torch.zeros(2, 3), vision.stretch(), picture, vision.loose(), real=True)
    before = (seen[:, 3] > 0).sum((1, 2))
    pose = torch.tensor([[STROKE * 64 - 2.0, 0.0, 0.0], [STROKE * 64 + 2.0, 0.0, 0.0]])
    asking = (
        state.guide,
        vision.wide(state.real, state.since),
        Tile.of(state.tile),
        torch.zeros(2, MODES),
        torch.ones(2, MODES),
    )

    def look(temperature: float) -> tuple[torch.Tensor, ...]:
        return look_around(vision, world.painter, paper, seen, pose, *asking, temperature)

    for temperature, expected in ((1.0, [False, True]), (0.0, [False, False])):
        shown, canvas, chance = look(temperature)
        assert chance[:, 0].bool().tolist() == expected
        assert ((canvas[:, 3] > 0).sum((1, 2)) > before).tolist() == expected
        assert shown[..., -2:].any(), "new land is shown, laid down or not"


def test_a_dream_that_stands_still_does_not_change_its_mind() -> None:
    """What is painted afresh in each picture would else change before one's eyes."""
    world = tiny_canvas()
    with torch.no_grad():
        world.vision.fixed_logit.fill_(-1.0)
    segment = pan(2, 8)
    state, generator = world.begin(segment), torch.Generator().manual_seed(0)
    action = segment.action[:, -1]  # an untaught memory moves nothing
    # Some pixels at the rim are new, but too few for a stroke.
    for canvas, decided in ((state.canvas, True), (torch.zeros_like(state.canvas), False)):
        before = state._replace(canvas=canvas)
        after, _, _ = world.step(before, action, 1.0, generator)
        assert torch.equal(after.chance, before.chance) is decided


def test_blocks_and_whole_undo_each_other() -> None:
    """Else colours land on their neighbours' pixels."""
    picture = torch.arange(2 * 4 * 6).view(2, 4, 6)
    which = torch.tensor([[[True, False, True], [True, True, False]], [[True] * 3, [False] * 3]])
    shown = picture * which.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(whole(blocks(picture)[which][..., None], which).squeeze(1), shown)


def test_a_mode_is_as_likely_as_to_come_up_in_one_of_the_pictures_that_it_is_held_for() -> None:
    """Bends begin with odds of a few percent in a picture: held as likely as that, roads went straight on."""
    shares = torch.tensor([[0.7, 0.1, 0.08, 0.12], [1.0, 0.0, 0.0, 0.0]])
    count, generator = round(PICTURES_AHEAD), torch.Generator().manual_seed(0)
    draws = torch.multinomial(shares[0], 4000 * count, True, generator=generator).view(4000, count)
    found = odds(shares.log())
    for mode in range(4):
        came_up = (draws == mode).any(1).float().mean()
        assert abs(found[0, mode].exp() - came_up) < 0.03
    assert torch.isfinite(found).all() and found[1].argmax() == 0


def test_a_mode_that_hardly_ever_came_up_is_not_drawn() -> None:
    """In one picture of 200 there is black ground; held and raised, it came up anywhere, and a fifth of the dreams of
    a slot of 15 minutes drowned in it."""
    shares = torch.tensor([0.5, 0.4, 0.095, 0.005])
    found = odds(shares.log().expand(100_000, -1))
    gumbel = -torch.empty_like(found).exponential_(generator=torch.Generator().manual_seed(0)).log()
    assert (found + gumbel).argmax(1).unique().tolist() == [0, 1, 2]
