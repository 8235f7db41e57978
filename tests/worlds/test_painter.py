"""The painter of a canvas: what it sees and learns, the ways in which a dream goes on, and how it is laid down."""

from __future__ import annotations

from unittest.mock import patch

import torch
import torch.nn.functional as F

from tests.worlds.cases import pan, tiny_canvas
from wmplay.worlds.canvas import CanvasState
from wmplay.worlds.glances import GLANCE_SIZE
from wmplay.worlds.looking import STROKE, look_around
from wmplay.worlds.painter import CHANCE, GUIDE, KINDS, USUAL, WAY, Painter, Sight, blocks, whole
from wmplay.worlds.protocol import Segment


def asked(batch: int, side: int = 32) -> tuple[torch.Tensor, ...]:
    """Colour, known, fixed and wide view where nothing at all is known."""
    empty = torch.zeros(batch, 1, side, side)
    return empty.expand(-1, 3, -1, -1), empty, empty, torch.zeros(batch, 4, 32, 32)


def lesson(world_seed: int = 0) -> Segment:
    world = tiny_canvas()
    segment = pan(8, 10, seed=world_seed)
    rows = segment.observation.flatten(0, 1)
    flat = world.encode_after(torch.cat((rows[:1], rows[:-1])), rows)
    return segment._replace(encoded=flat.unflatten(0, segment.reward.shape))


def test_a_painter_sees_shades_that_are_next_to_the_same() -> None:
    """CarRacing's road is tiled in shades a hundredth apart; unseen, each pixel ahead was a guess among three."""
    torch.manual_seed(0)
    painter = Painter(3, 8, GLANCE_SIZE, 3, 32, 32)
    shades = torch.tensor([0.392, 0.402, 0.412])
    generator = torch.Generator().manual_seed(0)
    known = torch.zeros(16, 1, 32, 32)
    known[:, :, 16:] = 1.0
    nothing = (torch.zeros(16, GUIDE), torch.zeros(16, WAY))
    optimiser = torch.optim.Adam(painter.parameters(), lr=3e-3)
    for _ in range(150):  # what lies ahead is of the same shade
        answer = torch.randint(3, (16,), generator=generator)
        colour = shades[answer][:, None, None, None] * known.expand(-1, 3, -1, -1)
        sight = painter.sight(colour, known, torch.zeros_like(known), torch.zeros(16, 4, 32, 32))
        logits = whole(painter.colours_of(painter(sight, *nothing)))
        loss = F.cross_entropy(logits, answer[:, None, None].expand(-1, 32, 32))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.3, "1.1 nats if it guesses"


def test_a_way_is_a_whole_picture() -> None:
    """Chosen pixel by pixel, what belongs together came apart: roads whose sides did not know of each other."""
    torch.manual_seed(0)
    painter = Painter(4, 8, GLANCE_SIZE, 3, 32, 32)
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(painter.parameters(), lr=2e-3)

    def shown(way: torch.Tensor) -> torch.Tensor:
        sight = painter.sight(*asked(len(way)))
        return whole(painter.colours_of(painter(sight, torch.zeros(len(way), GUIDE), way)))

    def came(batch: int) -> torch.Tensor:
        """One colour up to a column, another from there on: int64 [B, 32, 32]."""
        edge = torch.randint(4, 29, (batch, 1, 1), generator=generator)
        return 1 + (torch.arange(32) >= edge).long().expand(-1, 32, -1)

    for _ in range(200):
        answer = came(16)
        picture, fixed = 0.3 * answer[:, None].float().expand(-1, 3, -1, -1), torch.zeros(16, 1, 32, 32)
        way, nats = painter.taught(painter.sight(*asked(16)), picture, fixed, torch.randn(16, WAY, generator=generator))
        nll = F.cross_entropy(shown(way), answer)
        foreseen = painter.unlikely(painter.sight(*asked(16)), way).mean()
        optimiser.zero_grad()
        (nll + nats.mean() / 1024 + 0.1 * foreseen / WAY).backward()
        optimiser.step()
    assert float(nll.detach()) < 0.2, "0.5 nats for each pixel by itself"
    colours = shown(painter.drawn(painter.sight(*asked(64)), torch.randn(64, CHANCE, generator=generator), 1.0)).argmax(
        1
    )
    right = (colours == colours.mode(1).values[:, None]).float().mean((1, 2))
    assert float(right.mean()) > 0.95, "its edge is at one column in all rows"
    assert float((colours == 1).float().mean((1, 2)).std()) > 0.1, "which is another one in each way"


def test_what_hardly_ever_happens_is_not_dreamed() -> None:
    """Dreams were overgrown with roads out of nowhere: drawn with each stroke, what is rare comes soon."""
    painter = Painter(4, 8, GLANCE_SIZE, 3, 32, 32)
    sight = painter.sight(*asked(64))
    chance = torch.randn(64, CHANCE, generator=torch.Generator().manual_seed(0))
    standard = (torch.zeros(64, KINDS), torch.zeros(64, KINDS, WAY), torch.eye(WAY).expand(64, KINDS, -1, -1))
    with patch.object(Painter, "_foreseen", return_value=standard):
        drawn = painter.drawn(sight, chance, 1.0)
        assert torch.equal(painter.drawn(sight, chance, 0.1), 0.1 * chance[:, 1:])
    assert drawn.norm(dim=1).max() < USUAL + 1e-5 < chance[:, 1:].norm(dim=1).mean()


def test_weights_from_before_there_were_ways_paint_what_is_to_be_expected() -> None:
    painter = Painter(4, 8, GLANCE_SIZE, 3, 32, 32)
    new = ("leave.", "way.", "foresee.")
    now = {name: value.clone() for name, value in painter.state_dict().items() if not name.startswith(new)}
    now["enter.weight"] = torch.cat((now["enter.weight"][:, :12], now["enter.weight"][:, 36:]), 1)
    now["lead.0.weight"] = now["lead.0.weight"][:, :-WAY]
    heads = {
        name: torch.randn(9, *shape) for name, shape in (("lean", (12,)), ("leave", (12, 16)), ("leave_bias", (16,)))
    }
    last = now["up.2.mix.bias"]

    def loaded(**old: torch.Tensor) -> Painter:
        painter.load_state_dict({**now, **old})
        return painter

    painter = loaded(**heads, foretells=torch.tensor(True), **{"mode.0.weight": torch.zeros(1)})
    assert torch.equal(painter.leave.weight, heads["leave"][8].t()) and torch.equal(
        painter.leave.bias, heads["leave_bias"][8]
    )
    assert torch.allclose(painter.up[2].mix.bias, last + heads["lean"][8])
    sight = painter.sight(*asked(2))
    shown = [painter(sight, torch.zeros(2, GUIDE), way) for way in (torch.zeros(2, WAY), torch.ones(2, WAY))]
    assert torch.equal(*shown)
    painter = loaded(**{name: head[:8] for name, head in heads.items()})
    assert torch.allclose(painter.leave.weight, heads["leave"][:8].mean(0).t())
    single = torch.randn(16, 12, 1, 1)
    painter = loaded(**{"leave.weight": single, "leave.bias": torch.zeros(16)})
    assert torch.equal(painter.leave.weight, single.flatten(1)) and torch.equal(painter.up[2].mix.bias, last)


def test_each_lesson_teaches_what_is_to_be_expected_and_a_way() -> None:
    """Led by somebody's driving a way would tell nothing, and nobody's dream is led."""
    world, segment = tiny_canvas(), lesson()
    painter = world.painter.train()
    painted = []
    forward = Painter.forward

    def noting(painter: Painter, sight: Sight, guide: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
        painted.append((bool(guide.any()), bool(way.any())))
        return forward(painter, sight, guide, way)

    with patch.object(Painter, "forward", noting), patch("wmplay.worlds.painting.OWN", 0.0):
        loss, metrics = world.loss(segment, "painter", torch.Generator().manual_seed(0))
    loss.backward()
    assert painted == [(True, False), (False, True)]
    taught = {name.partition(".")[0] for name, p in painter.named_parameters() if p.grad is not None and p.grad.any()}
    assert taught == {name.partition(".")[0] for name, _ in painter.named_parameters()}
    assert all(torch.isfinite(value) for value in metrics.values())


def test_some_lessons_go_on_from_the_painters_own_work() -> None:
    """Learning to go on from real pictures alone, dreams went on from their own ragged roads straight on."""
    world, segment = tiny_canvas(), lesson()
    with torch.no_grad():
        world.vision.fixed_logit.fill_(-1.0)  # the frame shows the world
    palette = world.vision.palette
    palette.colours.copy_(torch.linspace(2.0, 3.0, len(palette.colours))[:, None].expand(-1, 3))  # none is of the game
    seen: list[tuple[str, list[bool]]] = []
    sight, forward = Painter.sight, Painter.forward

    def seeing(painter: Painter, colour: torch.Tensor, *more: torch.Tensor) -> Sight:
        seen.append(("sees", (colour > 1.5).flatten(1).any(1).tolist()))
        return sight(painter, colour, *more)

    def painting(painter: Painter, sight: Sight, guide: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
        seen.append(("led" if guide.any() else "in a way", [True] * len(guide)))
        return forward(painter, sight, guide, way)

    patched = (patch.object(Painter, "sight", seeing), patch.object(Painter, "forward", painting))
    with patched[0], patched[1], patch("wmplay.worlds.painting.OWN", 0.5):
        world.loss(segment, "painter", torch.Generator().manual_seed(0))
    did, which = zip(*seen, strict=True)
    # What is to be expected is learned from real pictures alone: temperature 0 goes on from no others.
    assert did == ("sees", "led", "in a way", "sees", "in a way")
    assert [len(pictures) for pictures in which] == [8, 8, 4, 4, 8]
    assert not any(which[0]) and sum(which[3]) >= 3, "but where nothing was known, or nothing new"


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
    asking = (state.guide, vision.wide(state.real, state.since), torch.zeros(2, CHANCE), torch.ones(2, CHANCE))

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
    assert torch.equal(whole(blocks(picture)[..., None]).squeeze(1), picture)
