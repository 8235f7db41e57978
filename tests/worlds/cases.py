"""Small made-up games for the world models: a square that walks over a board, and a vector that drifts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from wmplay.core.catalog import family, load
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.worlds.canvas import Canvas
from wmplay.worlds.protocol import PhaseSpec, Segment, World

FRAME = ObservationSpec("frame", (64, 64, 3))
VECTOR = ObservationSpec("vector", (3,))
MOVES = ActionSpec("discrete", n=4)


def walk(batch: int, length: int, seed: int = 0) -> Segment:
    """A white square walks over a dark 8×8 board: actions up, right, down, left; reward 1 and end in the top row."""
    source = torch.Generator().manual_seed(seed)
    action = torch.randint(0, 4, (batch, length), generator=source)
    move = torch.tensor([[-1, 0], [0, 1], [1, 0], [0, -1]])
    place = torch.randint(0, 8, (batch, 2), generator=source)
    frames = torch.full((batch, length, 8, 8, 3), 40, dtype=torch.uint8)
    top = torch.zeros(batch, length, dtype=torch.bool)
    for t in range(length):
        if t:
            place = (place + move[action[:, t]]).clamp(0, 7)
        frames[torch.arange(batch), t, place[:, 0], place[:, 1]] = 255
        top[:, t] = place[:, 0] == 0
    frames = frames.repeat_interleave(8, 2).repeat_interleave(8, 3)
    first = torch.zeros(batch, length, dtype=torch.bool)
    first[:, 0] = True
    return Segment(frames, action, top.float(), top, first, torch.ones_like(first))


def drift(batch: int, length: int, seed: int = 0) -> Segment:
    """Three numbers that the action pushes up or down by a tenth; the episode ends above 1."""
    source = torch.Generator().manual_seed(seed)
    action = torch.randint(0, 4, (batch, length), generator=source)
    push = torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 0.1], [-0.1, -0.1, -0.1]])[action]
    push[:, 0] = torch.rand(batch, 3, generator=source)
    rows = push.cumsum(1)
    ended = (rows > 1.0).any(-1)
    first = torch.zeros(batch, length, dtype=torch.bool)
    first[:, 0] = True
    return Segment(rows, action, rows.sum(-1), ended, first, torch.ones_like(first))


def pan(batch: int, length: int, seed: int = 0) -> Segment:
    """A camera over a soft landscape: the actions move it by two pixels; a bar at the bottom stays on the screen."""
    source = torch.Generator().manual_seed(seed)
    action = torch.randint(0, 4, (batch, length), generator=source)
    move = 2 * torch.tensor([[-1, 0], [0, 1], [1, 0], [0, -1]])
    place = (move[action] * (torch.arange(length) > 0)[:, None]).cumsum(1) + 64
    land = torch.nn.functional.interpolate(torch.rand(1, 3, 24, 24, generator=source), (192, 192), mode="bilinear")
    frames = torch.empty(batch, length, 64, 64, 3, dtype=torch.uint8)
    for b in range(batch):
        for t in range(length):
            y, x = place[b, t].clamp(0, 127).tolist()
            frames[b, t] = (land[0, :, y : y + 64, x : x + 64] * 255).to(torch.uint8).movedim(0, -1)
    frames[:, :, 56:] = 20
    first = torch.zeros(batch, length, dtype=torch.bool)
    first[:, 0] = True
    return Segment(frames, action, (action == 0).float(), action == 4, first, torch.ones_like(first))


class Case:
    """One family at its tiny preset, with data it can learn."""

    def __init__(self, name: str) -> None:
        self.kind: type[World] = load(family(name).target)
        self.vector = name == "state_vae"
        self.data: Callable[..., Segment] = drift if self.vector else (pan if name == "canvas" else walk)

    def make(self, seed: int = 0, **fields: Any) -> World:
        torch.manual_seed(seed)
        config = self.kind.Config(**{**self.kind.presets["tiny"], **fields})
        world = self.kind(config, VECTOR if self.vector else FRAME, MOVES)
        if world.family == "tokens":  # whose vocabulary is counted, not learned: without a look it knows nothing
            world.loss(self.data(64, 1), "vision", torch.Generator().manual_seed(0))
        if world.family == "canvas":  # whose colours are found by the vision phase
            world.get_submodule("vision.palette").learn(torch.rand(256, 3), torch.Generator().manual_seed(0))
        return world.eval()


def fit(world: World, phase: PhaseSpec, segment: Segment, steps: int, rate: float = 3e-3) -> tuple[float, float]:
    """Overfit one batch as the training loop would; the loss at the start and at the end, each a mean of five."""
    if phase.encoded:
        rows = segment.observation.flatten(0, 1)
        flat = world.encode_after(torch.cat((rows[:1], rows[:-1])), rows)
        encoded = flat.unflatten(0, segment.reward.shape)
        segment = segment._replace(**{"encoded" if phase.beside else "observation": encoded})
    parts = [world.get_submodule(name) for name in phase.modules]
    parameters = [p for part in parts for p in part.parameters()]
    for part in parts:
        part.train()
    world.training = True
    optimiser = torch.optim.Adam(parameters, rate)
    source = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(steps):
        loss, _ = world.loss(segment, phase.name, source)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, phase.clip)
        optimiser.step()
        losses.append(float(loss.detach()))
    world.eval()
    return sum(losses[:5]) / 5, sum(losses[-5:]) / 5


def tiny_canvas() -> Canvas:
    world = Case("canvas").make()
    assert isinstance(world, Canvas)
    return world
