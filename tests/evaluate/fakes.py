"""World models whose quality is known, so that the measure itself can be measured: a perfect one and one that learned
nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from envs.grid_board import AGENT, FLOOR, GOAL, HAZARD, MOVES, WALL
from envs.grid_world import GOAL_REWARD, HAZARD_REWARD, STEP_REWARD, GridWorld, decode_board, draw_board
from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.evaluate.starts import Starts
from wmplay.worlds.protocol import PhaseSpec, Segment, World

FRAME = ObservationSpec("frame", (64, 64, 3))
FOUR = ActionSpec("discrete", n=4)


class GridState(NamedTuple):
    board: Tensor  # int8 [B, 8, 8]


class FrameState(NamedTuple):
    frame: Tensor  # uint8 [B, 64, 64, 3]


class FakeWorld(World):
    """What all fakes share: nothing to train, and a state that is read off the last frame."""

    family = "fake"
    Config = dict
    presets: dict[str, dict[str, Any]] = {}  # noqa: RUF012

    def __init__(self, observation: ObservationSpec = FRAME, action: ActionSpec = FOUR) -> None:
        super().__init__({}, observation, action)

    @property
    def phases(self) -> tuple[PhaseSpec, ...]:
        return ()

    @property
    def features_size(self) -> int:
        return 64

    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        raise AssertionError("an evaluation trains nothing")

    def read(self, observation: Tensor) -> Any:
        return FrameState(observation)

    def begin(self, context: Segment, generator: torch.Generator | None = None) -> Any:
        return self.read(context.observation[:, -1])

    def update(self, state: Any, action: Tensor, observation: Tensor, first: Tensor) -> Any:
        return self.read(observation)

    def observe(self, state: Any) -> Tensor:
        return state.frame

    def features(self, state: Any) -> Tensor:
        return self.observe(state).float().flatten(1)[:, : self.features_size]


class RepeatWorld(FakeWorld):
    """Dreams that nothing ever happens: the first baseline as a model."""

    def step(self, state: Any, action: Tensor, temperature: float = 1.0, generator: Any = None) -> Any:
        return state, torch.zeros(len(action)), torch.zeros(len(action))


class PerfectGrid(FakeWorld):
    """GridWorld's own rules on the board it reads off the last frame. `noise`: chance that a step goes elsewhere."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__()
        self.noise = noise

    def read(self, observation: Tensor) -> GridState:
        return GridState(torch.as_tensor(decode_board(observation.numpy(), 8)))

    def step(self, state: GridState, action: Tensor, temperature: float = 1.0, generator: Any = None) -> Any:
        boards, moves = state.board.numpy().copy(), action.numpy().copy()
        if self.noise:
            other = torch.rand(len(moves), generator=generator).numpy() < self.noise
            moves[other] = (moves[other] + 2) % 4
        reward, end = np.full(len(boards), STEP_REWARD, np.float32), np.zeros(len(boards), np.float32)
        for i, board in enumerate(boards):
            places = np.argwhere(board == AGENT)
            if len(places) != 1:
                continue
            target = places[0] + MOVES[moves[i]]
            if (target < 0).any() or (target > 7).any() or board[tuple(target)] == WALL:
                continue
            kind = board[tuple(target)]
            reward[i] = {GOAL: GOAL_REWARD, HAZARD: HAZARD_REWARD}.get(int(kind), STEP_REWARD)
            end[i] = float(kind in (GOAL, HAZARD))
            board[tuple(places[0])], board[tuple(target)] = FLOOR, AGENT
        return GridState(torch.as_tensor(boards)), torch.as_tensor(reward), torch.as_tensor(end)

    def observe(self, state: GridState) -> Tensor:
        return torch.as_tensor(draw_board(state.board.numpy()))


def grid_starts(count: int = 12, horizon: int = 20, context: int = 8) -> Starts:
    """Real GridWorld play under random keys that avoid every end, and after the horizon one step that may end it."""
    rows = context + horizon
    env = GridWorld()
    out: dict[str, list[Any]] = {"observation": [], "action": [], "reward": [], "terminated": []}
    prefix = []
    for i in range(count):
        generator = np.random.default_rng(i)
        frame, info = env.reset(seed=1_000_000 + i)
        frames, actions, rewards, ends = [frame], [0], [0.0], [False]
        while len(frames) < rows:
            board = info["board"]
            place = np.argwhere(board == AGENT)[0]
            safe = []
            for action in range(4):
                target = np.clip(place + MOVES[action], 0, 7)
                if board[tuple(target)] not in (GOAL, HAZARD):
                    safe.append(action)
            action = int(generator.choice(safe or [0]))
            frame, reward, terminated, _, info = env.step(action)
            frames.append(frame), actions.append(action), rewards.append(reward), ends.append(terminated)
        for name, values in zip(out, (frames, actions, rewards, ends), strict=True):
            out[name].append(np.stack(values) if name == "observation" else np.array(values))
        prefix.append(np.array(actions[1:context]))
    first = np.zeros((count, rows), np.bool_)
    first[:, 0] = True
    return Starts(
        context,
        np.stack(out["observation"]),
        np.stack(out["action"]).astype(np.int64),
        np.stack(out["reward"]).astype(np.float32),
        np.stack(out["terminated"]),
        first,
        valid=np.full(count, rows),
        seeds=np.arange(1_000_000, 1_000_000 + count),
        prefix=tuple(prefix),
    )
