"""Why is a model bad? One detector for each way of going wrong, through the World protocol and the run's metrics
alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wmplay.core import episodes, paths
from wmplay.core.runs import RUN_FILE, RunStore
from wmplay.evaluate.findings import Finding
from wmplay.evaluate.following import measure_following
from wmplay.evaluate.outcomes import measure_outcomes
from wmplay.evaluate.rollout import begin, dream, observations, pictures
from wmplay.evaluate.starts import CONTEXT, Starts, draw_starts
from wmplay.evaluate.subject import Subject, prepare
from wmplay.worlds.protocol import World

STARTS = 32


def diagnose(slot: str | Path, device: str = "auto") -> list[Finding]:
    """Every finding about a slot, in the order in which they are worth mending. Takes a few seconds on a CPU."""
    subject = prepare(slot, 64, False, device)
    starts = subject.regimes["player"].take(slice(0, STARTS))
    store = subject.info.path / "train" / RUN_FILE
    following = measure_following(subject.world, subject.game, starts, subject.ranges, subject.place)
    parts = [starts, subject.tails["player"].take(slice(0, STARTS))]
    outcomes = measure_outcomes(subject.world, parts, subject.place)
    return [
        loss_spikes(losses(store)),
        collapsed_latents(subject.world, starts, subject.place),
        unused_codes(subject.world, starts, subject.place),
        frozen_foreground(subject.world, starts, subject.mean, subject.place),
        ignored_actions(following),
        reward_is_mean(outcomes),
        overfitting(subject.world, starts, _training_starts(subject), subject.ranges, subject.place),
    ]


def losses(store: Path) -> dict[str, list[float]]:
    """The logged `loss` of each phase of the newest run, in order; empty where nothing was logged here."""
    if not store.exists():
        return {}
    found: dict[str, list[float]] = {}
    with RunStore(store) as runs:
        if runs.runs():
            for metric in runs.metrics("loss", limit=100_000):
                found.setdefault(metric.phase, []).append(float("nan") if metric.value is None else metric.value)
    return found


def loss_spikes(curves: dict[str, Sequence[float]] | dict[str, list[float]]) -> Finding:
    """Jumps of the loss to far above what it was (more than 8 times its usual spread over the 20 values before), or
    NaN. A loss that stays up, as a memory's that goes on from brief segments to whole ones, has jumped once: it must
    come down before it can jump again. Two, or one in a thousand values, happen to the best."""
    name = "loss spikes"
    if not any(len(values) > 25 for values in curves.values()):
        return Finding(name, "unknown", "no run with enough logged losses is in this slot")
    spikes, broken, where = 0, False, ""
    for phase, values in curves.items():
        curve, up = np.asarray(values, np.float64), False
        broken |= bool((~np.isfinite(curve)).any())
        for t in range(20, len(curve)):
            before = curve[t - 20 : t]
            usual = np.median(before)
            scale = max(float(np.median(np.abs(before - usual))) * 1.4826, abs(float(usual)) * 0.05, 1e-9)
            was, up = up, bool(curve[t] > usual + 8 * scale)
            if up and not was:
                spikes, where = spikes + 1, phase
    if broken:
        return Finding(
            name, "problem", "the loss became infinite or no number at all", "The weights are spoilt from there on.",
            "Resume from an earlier checkpoint with a learning rate a third as large, in float32.",
        )  # fmt: skip
    if spikes > max(2, sum(map(len, curves.values())) / 1000):
        return Finding(
            name, "warning", f"{spikes} jumps, the last in phase {where}",
            "Steps are too large for this loss: training unlearns at each jump.",
            "Lower the learning rate (--set learning_rate=…), or train with larger batches.",
        )  # fmt: skip
    return Finding(name, "ok", f"{spikes} jumps")


@torch.inference_mode()
def collapsed_latents(world: World, starts: Starts, device: Any = "cpu") -> Finding:
    """Features that are the same whatever was seen, or a reconstruction that does not change with the picture."""
    name = "latents"
    state = begin(world, starts, device, torch.Generator(device=device).manual_seed(0))
    features = world.features(state).float().cpu().numpy()
    spread = features.std(axis=0)
    dead = float((spread < 1e-3 * max(float(np.abs(features).max()), 1e-9)).mean())
    seen, real = (np.asarray(v, np.float64) for v in (observations(world, state), starts.truth(0)))
    follows = float(seen.var(axis=0).mean() / max(float(real.var(axis=0).mean()), 1e-12))
    if follows < 0.05 or dead > 0.9:
        return Finding(
            name, "problem", f"{dead:.0%} of the features are dead; what it sees varies {follows:.1%} of the game's",
            "The latents have collapsed: the model shows the same whatever it is shown, so it can only dream the mean.",
            "Lower the weight of the KL term (or raise its free bits), check the learning rate, train longer.",
        )  # fmt: skip
    if dead > 0.5:
        return Finding(
            name, "warning", f"{dead:.0%} of the features are dead", "Most of the latent carries nothing.",
            "A smaller latent does as well and trains faster; a lower KL weight puts the dead ones to use.",
        )  # fmt: skip
    return Finding(name, "ok", f"{dead:.0%} dead, what it sees varies {follows:.0%} as much as the game")


@torch.inference_mode()
def unused_codes(world: World, starts: Starts, device: Any = "cpu") -> Finding:
    """How many of a codebook's entries the held-out frames use, in bits of entropy: for worlds whose state holds
    codes."""
    name = "codes"
    state = begin(world, starts, device, torch.Generator(device=device).manual_seed(0))
    codes = [part for part in state if part.dtype == torch.int64]
    if not codes:
        return Finding(name, "ok", "this family has no codebook")
    share = torch.bincount(codes[0].flatten().cpu()).double()
    share = share[share > 0] / share.sum()
    used, perplexity = len(share), float(torch.exp(-(share * share.log()).sum()))
    total = int(getattr(world.config, "codes", used) or used)
    found = f"{used} of {total} used, as if {perplexity:.0f} were used evenly"
    if used <= 2 or perplexity < 1.5:
        return Finding(
            name, "problem", found, "The codebook has collapsed: nearly every patch of every frame gets one code.",
            "Revive dead codes more often, lower the commitment weight, or use fewer codes.",
        )  # fmt: skip
    if used < 0.1 * total and not _draws_well(world, starts, device):
        return Finding(
            name, "warning", found, "Most codes are never used: the codebook is larger than the game needs.",
            "Fewer codes (--set codes=…) make prediction easier; fine if reconstructions are sharp.",
        )  # fmt: skip
    return Finding(name, "ok", found)


def _draws_well(world: World, starts: Starts, device: Any) -> bool:
    """Whether the codes it uses are enough: the next frame, drawn from predicted codes, is right nearly everywhere."""
    step = next(iter(dream(world, starts, 1, 0.0, device)))
    lasting = starts.lasting(1)
    gap = observations(world, step.state)[lasting].astype(np.float64) - starts.truth(1)[lasting]
    return bool(lasting.any()) and float(((gap / 255) ** 2).mean()) < 1e-4


@torch.inference_mode()
def frozen_foreground(world: World, starts: Starts, mean: NDArray[np.float32], device: Any = "cpu") -> Finding:
    """Whether what moves is predicted, or only the background is: error over the pixels that changed within 5 steps."""
    name = "foreground"
    k = min(5, starts.horizon)
    lasting = starts.lasting(k)
    state = None
    for step in dream(world, starts, k, 0.0, device):
        state = step.state
    shown = pictures(world, observations(world, state)) if state is not None else None
    still, real = pictures(world, starts.truth(0)), pictures(world, starts.truth(k))
    if shown is None or still is None or real is None or not lasting.any():
        return Finding(name, "unknown", "this game has no pictures, or its episodes are too short")
    a, b, c = (v[lasting].astype(np.float64) / 255 for v in (still, real, shown))
    moved = np.abs(b - a).max(axis=-1) > 0.1
    if moved.mean() < 1e-4:
        return Finding(name, "unknown", "nothing moves in the held-out play")
    own, nothing = ((c - b) ** 2)[moved].mean(), ((a - b) ** 2)[moved].mean()
    best = nothing
    if world.observation.kind == "frame":
        best = min(best, ((mean / 255 - b) ** 2)[moved].mean())
    skill = 1 - own / max(best, 1e-12)
    found = f"skill {skill:.2f} on the {moved.mean():.1%} of the picture that moves (k={k})"
    if skill < 0.1:
        return Finding(
            name, "problem", found,
            "Only the background is predicted. What moves covers so few pixels that the error hardly sees it: a pixel "
            "CartPole whose pole never falls is the known case.",
            "Train longer, or use smaller patches or a larger latent. In rssm and vae_mdn what stands out can weigh "
            "more (--set focus=60).",
        )  # fmt: skip
    return Finding(name, "warning" if skill < 0.3 else "ok", found)


def ignored_actions(following: dict[str, Any]) -> Finding:
    """Whether opposite actions lead to different dreams, as they do in the game."""
    name = "actions"
    if following["n"] == 0:
        return Finding(name, "unknown", "opposite actions make no clear difference in the real game here")
    size, share = following["size"][0], following["share"][0]
    found = f"{share:.0%} of {following['n']} starts answer rightly, {size:.2f} times as strongly as the game"
    if size < 0.1 or share < 0.65:
        return Finding(
            name, "problem", found, "The dream ignores the keys: the frames before foretell the next one well enough.",
            "Train longer; collect data in which actions vary (persistent random play), and enough of it.",
        )  # fmt: skip
    return Finding(name, "warning" if share < 0.9 or size < 0.4 else "ok", found)


def reward_is_mean(outcomes: dict[str, Any]) -> Finding:
    """Whether the reward head says anything but the mean."""
    name, skill = "reward", outcomes["reward_skill"]
    if skill is None:
        return Finding(name, "ok", "this game's reward never changes")
    found = f"explains {max(skill, 0):.0%} of the reward's variance over {outcomes['n']} steps"
    if skill < 0.1:
        return Finding(
            name, "problem", found, "The reward head predicts the mean: an agent trained in this dream learns nothing.",
            "Rewards are rare in the data: collect with an expert, or raise the weight of the reward loss.",
        )  # fmt: skip
    return Finding(name, "warning" if skill < 0.4 else "ok", found)


def overfitting(
    world: World, held_out: Starts, trained: Starts | None, ranges: NDArray[np.float32] | None, device: Any = "cpu"
) -> Finding:
    """Whether dreams from the training data are much better than from play the model never saw."""
    name = "over-fitting"
    if trained is None:
        return Finding(name, "unknown", "the training data is not here")
    own, new = (_error(world, starts, ranges, device) for starts in (trained, held_out))
    ratio = new / max(own, 1e-12)
    found = f"error at k=5: {own:.3g} on training data, {new:.3g} on held-out play"
    # An error below this (one grey level) is nothing to over-fit to.
    if ratio > 2 and new > 1.5e-5:
        return Finding(
            name, "problem" if ratio > 4 else "warning", found, "The model has learned its data by heart.",
            "Collect more episodes, stop earlier, or use a smaller preset.",
        )  # fmt: skip
    return Finding(name, "ok", found)


@torch.inference_mode()
def _error(world: World, starts: Starts, ranges: NDArray[np.float32] | None, device: Any) -> float:
    k = min(5, starts.horizon)
    state = None
    for step in dream(world, starts, k, 0.0, device):
        state = step.state
    lasting = starts.lasting(k)
    scale = 255.0 if ranges is None else ranges
    gap = (observations(world, state)[lasting].astype(np.float64) - starts.truth(k)[lasting]) / scale
    return float(np.median((gap**2).reshape(len(gap), -1).mean(axis=1))) if len(gap) else 0.0


def _training_starts(subject: Subject) -> Starts | None:
    """Starts from the data the slot was trained on by the players' regime; None where it is not on this machine."""
    for name in subject.info.lineage.get("data", []):
        where = paths.episodes_dir(subject.game.slug) / str(name)
        if (where / "dataset.json").exists():
            data = episodes.Dataset(where)
            if any(e.length > subject.game.warmup + CONTEXT for e in data.episodes):
                return draw_starts(data, STARTS, 5, CONTEXT, subject.game.warmup)
    return None
