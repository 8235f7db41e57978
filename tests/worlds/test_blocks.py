"""The blocks all families share: frames, actions, scales and mixtures."""

from __future__ import annotations

import math

import torch

from wmplay.core.spaces import ActionSpec
from wmplay.worlds.blocks import (
    ActionEncoder,
    RunningScale,
    kl_to_standard,
    sample_index,
    to_float,
    to_uint8,
    transitions,
)
from wmplay.worlds.mixture import Mixture


def test_frames_survive_the_way_to_floats_and_back() -> None:
    """If not, every dream is a shade off."""
    frames = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(1, 16, 16, 3)
    floats = to_float(frames)
    assert floats.shape == (1, 3, 16, 16)
    assert float(floats.min()) >= 0.0 and float(floats.max()) <= 1.0
    assert torch.equal(to_uint8(floats), frames)


def test_actions_of_every_kind_are_read_on_one_scale() -> None:
    """If not, gas (0 to 1) and steering (−1 to 1) weigh differently, or MultiDiscrete games cannot be learned."""
    box = ActionEncoder(ActionSpec("box", low=(-1.0, 0.0, -math.inf), high=(1.0, 1.0, math.inf)))
    assert box(torch.tensor([[-1.0, 0.5, 7.0]])).tolist() == [[-1.0, 0.0, 7.0]]
    one = ActionEncoder(ActionSpec("discrete", n=3))
    assert one(torch.tensor([[2, 0]])).tolist() == [[[0, 0, 1], [1, 0, 0]]]
    multi = ActionEncoder(ActionSpec("multi", counts=(2, 3)))
    assert multi(torch.tensor([[1, 2]])).tolist() == [[0, 1, 0, 0, 1]]


def test_running_scale_equals_the_statistics_of_all_rows_at_once() -> None:
    """If not, vector games are predicted in wrong units."""
    rows = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.01, 50.0]) + 3.0
    scale = RunningScale(2)
    for part in rows.split(100):
        scale.learn(part)
    torch.testing.assert_close(scale.mean, rows.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scale.deviation, rows.std(0, unbiased=False), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(scale.restore(scale.normalise(rows)), rows, rtol=1e-4, atol=1e-4)


def test_kl_is_zero_only_for_the_standard_normal() -> None:
    assert float(kl_to_standard(torch.zeros(1, 4), torch.zeros(1, 4))) == 0.0
    assert float(kl_to_standard(torch.ones(1, 4), torch.zeros(1, 4))) == 2.0


def test_index_sampling_follows_the_probabilities_and_temperature() -> None:
    """If not, the temperature knob does nothing."""
    logits = torch.log(torch.tensor([0.1, 0.6, 0.3])).expand(20000, 3)
    source = torch.Generator().manual_seed(0)
    share = torch.bincount(sample_index(logits, source), minlength=3) / 20000
    torch.testing.assert_close(share, torch.tensor([0.1, 0.6, 0.3]), rtol=0.1, atol=0.01)
    cold = torch.bincount(sample_index(logits, source, 0.2), minlength=3) / 20000
    assert float(cold[1]) > 0.9
    assert bool((sample_index(logits, None, 0.0) == 1).all())


def test_mixture_likelihood_is_that_of_its_gaussians() -> None:
    """If not, the NLL in the report means nothing."""
    weight = torch.log(torch.tensor([[0.25, 0.75]]))
    mean, deviation = torch.tensor([[[0.0, 0.0], [1.0, -1.0]]]), torch.tensor([[[1.0, 2.0], [0.5, 1.0]]])
    target = torch.tensor([[0.3, 0.2]])
    parts = [torch.distributions.Normal(mean[0, k], deviation[0, k]).log_prob(target[0]).sum().exp() for k in (0, 1)]
    expected = -torch.log(0.25 * parts[0] + 0.75 * parts[1])
    present = torch.tensor([[0.1, -0.4]])
    mixture = Mixture(present, weight + 2.0, mean - present, deviation.log())
    torch.testing.assert_close(mixture.nll(target)[0], expected)
    torch.testing.assert_close(mixture.average(), torch.tensor([[0.75, -0.75]]))


def test_the_first_row_of_a_segment_is_never_a_target() -> None:
    """If not, the model learns to predict the frame after a reset, which nothing announces."""
    first = torch.tensor([[False, False, True, False]])
    mask = torch.tensor([[True, True, True, False]])
    rows = transitions(first, mask)
    assert rows.valid.tolist() == [[False, True, False, False]]
    assert rows.keep.tolist() == [[0.0, 1.0, 0.0, 1.0]]
