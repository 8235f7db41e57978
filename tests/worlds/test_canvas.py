"""The map-making family: its mask, its map, and what its memory may know."""

from __future__ import annotations

import torch

from tests.worlds.cases import pan, tiny_canvas
from wmplay.training.muon import Muon
from wmplay.worlds.blocks import to_float, transitions
from wmplay.worlds.canvas import Canvas
from wmplay.worlds.geometry import Map, sample, seen_from
from wmplay.worlds.glances import GLANCE_SIZE, glance, turned, wide_view
from wmplay.worlds.next_screen import CALM, SURE
from wmplay.worlds.protocol import Segment
from wmplay.worlds.screen import PARTS


def encoded(world: Canvas, batch: int = 4, length: int = 8) -> Segment:
    segment = pan(batch, length)
    rows = segment.observation.flatten(0, 1)
    flat = world.encode_after(torch.cat((rows[:1], rows[:-1])), rows)
    return segment._replace(observation=flat.unflatten(0, segment.reward.shape))


def learned_mask(world: Canvas, steps: int) -> torch.Tensor:
    """Which pixels [H, W - 16] it holds for the screen's after learning from frames with a bar in the last 8 rows."""
    optimiser = torch.optim.Adam([world.vision.fixed_logit], lr=4e-3)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        loss, _ = world.loss(pan(16, 2, seed=step), "vision", generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (world.vision.fixed() > 0.5)[0, 0, :, 8:-8]


def test_the_screen_does_not_grow_into_the_world() -> None:
    """The row above CarRacing's bar was taken for a part of the bar, and drawn as the mean of all roads and lawns."""
    fixed = learned_mask(tiny_canvas(), 60)
    assert not fixed[:56].any()
    assert fixed[56:58].all()


def test_a_mask_unlearns_what_it_took_for_the_screen() -> None:
    """CarRacing's mask was so sure of a row above the bar that it stayed there for all of a training of 15 minutes."""
    world = tiny_canvas()
    with torch.no_grad():
        world.vision.fixed_logit.fill_(-0.1)[..., 54:, :] = 1.0
    fixed = learned_mask(world, 80)
    assert not fixed[:56].any()
    assert fixed[56:58].all()


def test_a_pixel_of_which_nothing_was_learned_is_as_its_neighbours() -> None:
    """The last pixel of CarRacing's bar showed the grass behind it: nothing that moves was ever seen there."""
    vision = tiny_canvas().vision
    with torch.no_grad():
        vision.fixed_logit.fill_(-0.1)[..., -8:, :] = 0.1
        decided = vision.fixed()
        vision.fixed_logit[..., -1, -1] = 0.0
        vision.fixed_logit[..., 0, 0] = 0.0
    assert torch.allclose(vision.fixed(), decided, atol=0.02)


def test_a_memory_left_alone_gets_no_glance_at_what_really_happened() -> None:
    """It would learn to read the motion off real frames, which no dream has: the yaw drifted 5 times as fast."""
    world = tiny_canvas()
    segment = encoded(world)
    alone = segment.reward.shape[1] - world.config.open_loop
    other = segment.observation.clone()
    other[:, alone:, -GLANCE_SIZE:] = torch.randn(other[:, alone:, -GLANCE_SIZE:].shape)
    before = segment.observation.clone()
    before[:, alone - 1, -GLANCE_SIZE:] += 1.0

    def drift(rows: torch.Tensor) -> tuple[float, float]:
        generator = torch.Generator().manual_seed(0)
        world.memory.scale.count.zero_()
        _, metrics = world.loss(segment._replace(observation=rows), "memory", generator)
        return float(metrics["motion"]), float(metrics["drift"])

    torch.nn.init.normal_(world.memory.change[-1].weight, std=0.1)  # type: ignore[arg-type]
    assert drift(segment.observation) == drift(other)
    assert drift(segment.observation) != drift(before)


def test_a_memory_learns_from_many_rows_at_once_what_it_does_step_by_step() -> None:
    """It would be trained on another way through a segment than dreams take, past ends of episodes too."""
    world = tiny_canvas()
    memory, segment = world.memory, encoded(world)
    segment.first[0, 4] = True
    torch.nn.init.normal_(memory.change[-1].weight, std=0.1)  # type: ignore[arg-type]
    action, length, generator = world.actions(segment.action), segment.reward.shape[1], torch.Generator().manual_seed(0)
    _, metrics = memory.loss(segment, action, length, world.vision.scale, world.vision.stretch(), 64, generator)
    valid, keep = transitions(segment.first, segment.mask)
    moved, glances = segment.observation[..., : len(memory.scale.mean)].clone(), segment.observation[..., -GLANCE_SIZE:]
    moved[..., :3] *= valid[..., None]
    hidden, wrong = torch.zeros(len(moved), memory.hidden_size), []
    for t in range(1, length):
        hidden, found = memory.advance(hidden, moved[:, t - 1], memory.look(glances[:, t - 1]), action[:, t])
        hidden = hidden * keep[:, t, None]
        wrong.append((memory.scale.normalise(found) - memory.scale.normalise(moved[:, t]))[..., 3:].square().mean(-1))
    torch.testing.assert_close(metrics["sprite"], torch.stack(wrong, 1)[valid[:, 1:]].mean().detach())


def test_a_slide_nobody_can_foresee_does_not_outweigh_all_bends() -> None:
    """By squares the few starts that slide held nine tenths of the error, and the turn of all others was less exact."""
    world = tiny_canvas()
    segment = encoded(world)
    generator = torch.Generator().manual_seed(0)
    world.loss(segment, "memory", generator)  # learns the scale,
    world.memory.scale.count.fill_(world.memory.scale.limit)  # which then stays

    def errors(slide: float) -> tuple[float, float]:
        rows = segment.observation.clone()
        rows[0, -1, :3] += slide * (world.memory.scale.deviation[:3] + world.vision.scale)
        _, metrics = world.loss(segment._replace(observation=rows), "memory", generator)
        return float(metrics["motion"]), float(metrics["drift"])

    none, slide, twice = errors(0.0), errors(30.0), errors(60.0)
    for part in range(2):
        assert 1.8 < (twice[part] - none[part]) / (slide[part] - none[part]) < 2.2, "four times as much by squares"


def test_the_memory_stops_growing_however_long_it_is_trained() -> None:
    """It fell apart in a training of an hour, its weights twice those of 15 minutes: Muon's steps never shrink."""
    spec = next(phase for phase in tiny_canvas().phases if phase.name == "memory")
    weight = torch.zeros(64, 32, requires_grad=True)
    optimiser = Muon([weight], lr=20 * spec.learning_rate, weight_decay=spec.weight_decay, fused=True)
    lengths = []  # at 20 times the rate, these few steps weigh as much as 9,000
    for step in range(450):
        weight.grad = torch.eye(64, 32)  # always the same way
        optimiser.step()
        if step % 150 == 149:
            lengths.append(float(weight.detach().norm()))
    assert lengths[2] < 1.5 * lengths[0], "three times as long without decay"


def test_a_dream_draws_what_its_screen_shows() -> None:
    """Wheels and score stood still: a judge told dreamed screens from real ones, the worlds behind them being alike."""
    world = tiny_canvas()
    with torch.no_grad():
        world.vision.fixed_logit.fill_(-1.0)[..., -8:, :] = 1.0  # the bar
    generator = torch.Generator().manual_seed(0)
    segment = pan(16, 8)
    bars = torch.randint(0, 2, (16, 8, 1, 8, 1, 3), generator=generator, dtype=torch.uint8) * 255
    segment.observation[:, :, -8:] = bars.expand(-1, -1, 8, -1, 8, -1).flatten(3, 4)
    vision = world.train().vision
    frames = to_float(segment.observation.flatten(0, 1))
    for some in frames.split(16):
        vision.screen.learn(some, vision.fixed().detach(), generator)
    state = world.eval().begin(segment)
    seen, _, _ = world.step(state, segment.action[:, -1], 1.0, generator)
    bar = world.observe(seen)[:, -8:].unflatten(2, (8, 8)).float()
    assert (bar.std(dim=(1, 3)) < 1.0).all(), "each part is a picture that was seen"
    assert len(seen.screen[:, 0].unique()) > 1, "drawn"
    still, _, _ = world.step(state, segment.action[:, -1], 0.0, generator)
    assert torch.equal(still.screen, state.screen)
    optimiser = torch.optim.Adam(world.memory.parameters(), lr=1e-2)
    world.train()
    losses = []
    for _ in range(120):  # every part shows what it showed before
        steady = segment._replace(observation=segment.observation[:, :1].expand(-1, 8, -1, -1, -1))
        rows = steady.observation.flatten(0, 1)
        with torch.no_grad():
            flat = world.encode_after(rows, rows)
        loss, metrics = world.loss(
            steady._replace(observation=flat.unflatten(0, segment.reward.shape)), "memory", generator
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        learned = world.memory.screen.told[0].weight.grad is not None
        assert learned == ("screen" in metrics), "what is not learned in a step is no part of its loss"
        if learned:
            losses.append(float(metrics["screen"]))
    assert 15 <= len(losses) <= 50, "learned in about a quarter of the steps"
    assert losses[-1] < 0.2 * losses[0]
    _, metrics = world.eval().loss(
        steady._replace(observation=flat.unflatten(0, segment.reward.shape)), "memory", generator
    )
    assert "screen" in metrics, "whoever asks how good it is is always told"


def test_what_is_rare_on_a_screen_is_drawn_a_little_more_seldom_than_it_is_foretold() -> None:
    """Instruments that are all drawn by themselves flickered: judges told dreams by them. Whether one changes is drawn
    nearly as it is foretold, or scores would stand still; to what, more surely, or hands would tremble."""
    world = tiny_canvas()
    screen, rows = world.memory.screen, 4000
    with torch.no_grad():
        screen.follows.zero_()
        last = screen.told[-1]
        last.weight.zero_()
        last.bias.fill_(-1e4)
        # Of the first part: to stay as it is counts no more by itself; three pictures.
        last.bias[:4] = torch.tensor([1.0, 0.8, 0.15, 0.05]).log()
    nothing = torch.zeros(rows, screen.told[0].in_features)
    hidden, moved = nothing[:, : world.config.hidden_size], nothing[:, : 3 + world.config.sprite_size]
    before, seen = torch.zeros(rows, PARTS, dtype=torch.int64), torch.zeros(rows, GLANCE_SIZE)
    drawn = screen.draw(hidden, moved, before, seen, 1.0, torch.Generator().manual_seed(0))[:, 0]
    assert set(drawn.tolist()) == {0, 1, 2}
    stays, first, second = (float(w) ** (1.0 / CALM) for w in (0.8, 0.15, 0.05))
    changed = drawn[drawn > 0]
    assert abs(len(changed) / rows - (first + second) / (stays + first + second)) < 0.02
    assert len(changed) / rows < 0.19
    assert abs(float((changed == 2).float().mean()) - 1.0 / (1.0 + 3.0 ** (1.0 / SURE))) < 0.05
    calm = screen.draw(hidden, moved, before, seen, 0.0, None)[:, 0]
    assert not calm.any(), "at temperature 0 the most likely"


def test_pieces_are_the_rows_in_their_order() -> None:
    """Rows of two segments in one piece would teach steps that nobody took."""
    segment = pan(2, 6)
    cut = segment.pieces(3)
    assert cut.reward.shape == (4, 3) and cut.encoded is None
    assert torch.equal(cut.observation[1], segment.observation[0, 3:])
    assert torch.equal(cut.action.flatten(0, 1), segment.action.flatten(0, 1))


def smooth_land(batch: int) -> torch.Tensor:
    """Pictures [B, 3, 64, 64] that vary slowly enough for a glance."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, 5, 5, generator=generator)
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bicubic", align_corners=True).clamp(0, 1)


def test_a_turned_glance_is_the_glance_of_the_turned_picture() -> None:
    """Else the memory is trained on another ground than the one it drives on."""
    picture, all_of_it = smooth_land(6), torch.ones(1, 1, 64, 64)
    stretch = torch.tensor([1.0, 1.25])
    motion = torch.tensor([[6.0, -4.0, 0.2]]).expand(6, -1)
    there = sample(picture, seen_from(motion, stretch, 64, 64))
    seen = sample(torch.ones_like(picture[:, :1]), seen_from(motion, stretch, 64, 64))
    want, got = glance(there, all_of_it), turned(glance(picture, all_of_it), motion, stretch, 64)
    inner = (glance(seen + 0.4, all_of_it).view(6, 1, 16, 16) > 0.99).expand(-1, 3, -1, -1).flatten(1)
    assert inner.float().mean() > 0.5
    assert float((want - got)[inner].abs().mean()) < 0.02


def test_the_wide_view_shows_what_has_left_the_picture() -> None:
    """It is how the painter knows where the road came from; its middle is what the plain view shows."""
    picture, all_of_it = smooth_land(2), torch.ones(1, 1, 64, 64)
    ahead = torch.tensor([[0.0, -40.0, 0.0]]).expand(2, -1)
    small = glance(picture, all_of_it)
    wide = wide_view(small, all_of_it, ahead, torch.ones(2), 64)
    assert wide.shape == (2, 4, 32, 32)
    torch.testing.assert_close(wide[:, :3, 8:24, 8:24].flatten(1), turned(small, ahead, torch.ones(2), 64))
    known = wide[:, 3] > 0.99
    assert not known[:, :16].any(), "nothing was seen up ahead"
    assert known[:, 24:, 9:23].any(), "what lies behind is still shown"


def test_a_map_shows_no_colour_that_was_not_laid_down() -> None:
    """Dreamed roads had purple rims: what was sharpened before it was written overshot, here grey with less green."""
    grey, green = torch.tensor([0.4, 0.4, 0.4]), torch.tensor([0.4, 0.8, 0.4])
    road = (torch.arange(64)[None] + torch.arange(64)[:, None] // 3) % 40 < 20
    picture = torch.where(road, grey[:, None, None], green[:, None, None])[None]
    paper, stretch, everywhere = Map(64, 64), torch.ones(2), torch.ones(1, 1, 64, 64)
    maps = paper.write(paper.empty(1, picture.device), torch.zeros(1, 3), stretch, picture, everywhere, True)
    seen, known = paper.read(maps, torch.tensor([[1.3, -0.6, 0.1]]), stretch)
    shown = torch.where(known, seen, 0.5)
    assert known.float().mean() > 0.9
    # Texels are bytes: half a level of rounding, and one for what is summed.
    assert float(shown[:, 1].min()) > 0.4 - 2 / 255 and float(shown[:, 1].max()) < 0.8 + 2 / 255


def test_a_memory_at_temperature_0_knows_of_the_world_what_it_learned_to_know() -> None:
    """The map knows more than the last real frame, from which it learned: it went 1.4 times as far astray."""
    world = tiny_canvas()
    with torch.no_grad():
        world.vision.fixed_logit.fill_(-1.0)  # the frame shows the world
    torch.nn.init.normal_(world.memory.change[-1].weight, std=0.1)  # type: ignore[arg-type]
    segment = pan(4, 8)
    state = world.begin(segment)
    assert state.real.any()
    less = state._replace(canvas=torch.zeros_like(state.canvas))
    action = segment.action[:, -1]
    for _ in range(3):
        state, _, _ = world.step(state, action, 0.0)
        less, _, _ = world.step(less, action, 0.0)
    assert state.since.any(), "it moved"
    assert torch.equal(state.look, less.look) and torch.equal(state.pose, less.pose)
    stretch = world.vision.stretch()
    assert torch.equal(state.look, world.memory.look(turned(state.real, state.since, stretch, 64)).float())


def test_a_painter_learns_from_land_as_a_map_shows_it() -> None:
    """Its lessons were softer than the land that it goes on from in dreams."""
    world = tiny_canvas()
    vision, paper = world.vision, world.map
    with torch.no_grad():
        vision.fixed_logit.fill_(-1.0)
    squares = ((torch.arange(64) // 9) % 2).float()
    picture = (0.2 + 0.6 * (squares[:, None] * squares)).expand(3, 3, 64, 64).contiguous()
    motion = torch.tensor([[0.6, -2.3, 0.15], [3.4, 1.5, -0.6], [-7.3, 9.2, 0.0]])
    start, stretch = torch.zeros(3, 3), vision.stretch().detach()
    empty = paper.empty(3, picture.device)
    maps = paper.write(empty, start, stretch, picture, vision.loose(), real=True)
    shown, there = paper.read(maps, motion, stretch)
    with torch.no_grad():
        colour, known = vision.glimpse(picture, motion)
    both = known * there
    assert both.sum() > 0.9 * there.sum()
    assert ((colour - shown).square() * both).sum() / (3 * both.sum()) < 1.5e-4, "softened twice: 1.9e-3"
