"""What every family promises: it learns, it dreams, it repeats under a seed, and its state is plain tensors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from wmplay.worlds.protocol import Segment, World, map_state

from .cases import Case, fit


def context(segment: Segment, rows: int) -> Segment:
    return Segment(*(part if part is None else part[:, :rows] for part in segment))


def shown(world: World, state: object) -> Tensor:
    return world.observe(state).float()


def test_every_phase_learns_one_batch_by_heart(case: Case) -> None:
    """If not, training runs for minutes and the dream stays noise."""
    world = case.make()
    for phase in world.phases:
        segment = case.data(16, max(phase.length, 2))
        before, after = fit(world, phase, segment, 60)
        assert after < 0.9 * before or before == after == 0.0, phase.name  # what is exact has nothing to learn


def test_phases_share_the_budget_and_name_real_modules(case: Case) -> None:
    """If not, a run ends early or a phase trains nothing."""
    world = case.make()
    assert sum(phase.share for phase in world.phases) == pytest.approx(1.0)
    for phase in world.phases:
        assert all(list(world.get_submodule(name).parameters()) for name in phase.modules)


@torch.no_grad()
def test_a_dream_has_the_shapes_of_its_game(case: Case) -> None:
    """If not, no window, report or agent can use the family."""
    world, segment = case.make(), case.data(5, 6)
    state = world.begin(context(segment, 4))
    state, reward, end = world.step(state, segment.action[:, 4], 1.0, torch.Generator().manual_seed(0))
    assert reward.shape == end.shape == (5,)
    assert reward.dtype == end.dtype == torch.float32
    assert bool(((end >= 0) & (end <= 1)).all())
    seen = world.observe(state)
    assert seen.shape == segment.observation[:, 0].shape
    assert seen.dtype == segment.observation.dtype
    features = world.features(state)
    assert features.shape == (5, world.features_size)
    assert features.dtype == torch.float32


@torch.no_grad()
def test_state_is_a_flat_tuple_that_can_be_branched(case: Case) -> None:
    """If not, rewind, bookmarks and dream branches break."""
    world, segment = case.make(), case.data(4, 4)
    state = world.begin(context(segment, 3))
    assert all(isinstance(part, Tensor) and part.shape[0] == 4 for part in state)
    one = map_state(state, lambda part: part[2:3].clone())
    together = world.step(state, segment.action[:, 3], 0.0)[0]
    alone = world.step(one, segment.action[2:3, 3], 0.0)[0]
    for many, single in zip(together, alone, strict=True):
        torch.testing.assert_close(many[2:3], single, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_all_chance_comes_from_the_generator(case: Case) -> None:
    """If not, a seeded dream cannot be repeated; and at temperature 0 there must be no chance at all."""
    world, segment = case.make(), case.data(8, 4)
    state = world.begin(context(segment, 3))

    def once(seed: int, temperature: float) -> Tensor:
        torch.manual_seed(seed + 100)  # the global generator must not matter
        source = torch.Generator().manual_seed(seed)
        return shown(world, world.step(state, segment.action[:, 3], temperature, source)[0])

    hot = 100.0  # an untrained world of codes is sure of itself, so ordinary chance would rarely show
    assert torch.equal(once(0, hot), once(0, hot))
    assert not torch.equal(once(0, hot), once(1, hot))
    assert torch.equal(once(0, 0.0), once(1, 0.0))


@torch.no_grad()
def test_reading_step_by_step_equals_reading_at_once(case: Case) -> None:
    """If not, an agent in the real game sees other features than the ones it was trained on."""
    world, segment = case.make(), case.data(3, 6)
    segment.first[1, 3] = True  # an episode ends inside the context
    at_once = world.begin(segment)
    state = world.begin(context(segment, 1))
    for t in range(1, 6):
        state = world.update(state, segment.action[:, t], segment.observation[:, t], segment.first[:, t])
    for a, b in zip(at_once, state, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_new_episode_forgets_the_old_one(case: Case) -> None:
    """If not, the last game leaks into the next one's first steps."""
    world, old, new = case.make(), case.data(3, 5), case.data(3, 5, 9)
    blank = torch.ones(3, dtype=torch.bool)
    after_old = world.update(world.begin(old), new.action[:, 0], new.observation[:, 0], blank)
    fresh = world.begin(context(new, 1))
    for a, b in zip(after_old, fresh, strict=True):
        torch.testing.assert_close(a, b)


@torch.no_grad()
def test_padding_at_the_end_of_a_context_changes_nothing(case: Case) -> None:
    """If not, a dream that starts from a short episode starts from a made-up frame."""
    world, segment = case.make(), case.data(3, 6)
    padded = segment._replace(mask=segment.mask.clone(), observation=segment.observation.clone())
    padded.mask[:, 4:] = False
    padded.observation[:, 4:] = 0
    for a, b in zip(world.begin(padded), world.begin(context(segment, 4)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_actions_matter_after_a_little_training(case: Case) -> None:
    """If not, the dream ignores the keys."""
    world = case.make()
    for phase in world.phases:
        # Codes have to become clear first.
        steps = {"tokens": 150, "vqvae_mdn": 400}.get(case.kind.family, 60)
        fit(world, phase, case.data(32, max(phase.length, 2)), steps)
    segment = case.data(8, 4, 5)
    with torch.no_grad():
        state = world.begin(context(segment, 3))
        up, right = (world.step(state, torch.full((8,), a), 0.0)[0] for a in (0, 1))
    assert any(not torch.equal(a, b) for a, b in zip(up, right, strict=True))
    assert float((world.features(up) - world.features(right)).abs().mean()) > 1e-3


@torch.no_grad()
def test_encoding_is_deterministic(case: Case) -> None:
    """If not, a resumed run trains on other latents than the run it continues."""
    world = case.make()
    if not any(phase.encoded for phase in world.phases):
        with pytest.raises(TypeError, match="no encoded phase"):
            world.encode(case.data(1, 2).observation[0])
        return
    frames = case.data(4, 3).observation.flatten(0, 1)
    before = torch.cat((frames[:1], frames[:-1]))
    whole = world.encode_after(before, frames)
    assert torch.equal(whole, world.encode_after(before, frames))
    torch.testing.assert_close(world.encode_after(before[:2], frames[:2]), whole[:2], rtol=1e-4, atol=1e-4)


def test_weights_travel_through_a_state_dict(case: Case) -> None:
    """If not, a saved slot dreams something else than the model that was trained."""
    world, other = case.make(0), case.make(1)
    for phase in world.phases:
        fit(world, phase, case.data(8, max(phase.length, 2)), 5)
    other.load_state_dict(world.state_dict())
    segment = case.data(4, 4)
    with torch.no_grad():
        a = world.step(world.begin(segment), segment.action[:, 0], 0.0)[0]
        b = other.step(other.begin(segment), segment.action[:, 0], 0.0)[0]
    for left, right in zip(a, b, strict=True):
        assert torch.equal(left, right)


def test_presets_are_valid_and_ordered_by_size(case: Case) -> None:
    """If not, `--preset` fails, or `tiny` is not tiny."""
    sizes = []
    for name in ("tiny", "small", "base"):
        fields = case.kind.presets[name]
        world = case.make(**{**{k: getattr(case.kind.Config(), k) for k in case.kind.presets["tiny"]}, **fields})
        sizes.append(sum(p.numel() for p in world.parameters()))
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


def test_a_dream_of_codes_only_uses_codes_that_real_frames_use() -> None:
    """If not, predictions snap to leftovers of early training, and tiles turn grey in the dream."""
    case = Case("vqvae_mdn")
    world = case.make()
    for phase in world.phases:
        fit(world, phase, case.data(32, max(phase.length, 2)), 120)
    real = case.data(16, max(world.phases[1].length, 2))
    used = set(world.encode(real.observation.flatten(0, 1)).flatten().tolist())
    assert 1 < len(used) < 20
    with torch.no_grad():
        state = world.begin(real)
        for seed in range(5):
            source = torch.Generator().manual_seed(seed)
            state = world.step(state, real.action[:, 1], 50.0, source)[0]
            assert set(state.codes.flatten().tolist()) <= used
