"""Where a game leaves it to chance what happens: does the dream throw the same dice? For GridWorld and its slip."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np
import torch

from envs.grid_board import AGENT, FLOOR, MOVES
from wmplay.evaluate import truths
from wmplay.evaluate.rollout import begin, observations
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.statistics import share_figure
from wmplay.evaluate.subject import Subject
from wmplay.worlds.protocol import map_state

THROWS = 4_000
"""About so many dreamt steps: enough to tell 20 % from 18 %."""
# Which way a move may go, in quarter turns to the right of the one asked for.
WAYS = {"forward": 0, "right": 1, "back": 2, "left": 3}


def can_measure(subject: Subject) -> bool:
    """Whether the game has dice whose odds are known."""
    return subject.game.truth == "board" and float(subject.game.params.get("slip", 0.0)) > 0.0


@torch.inference_mode()
def measure_chances(subject: Subject, starts: Starts, seed: int = 0) -> dict[str, Any] | None:
    """How often a dreamt move (temperature 1) goes each way, beside the game's odds, from real boards.

    Only moves with open floor ahead and on both sides count, so that each way shows. Returns `n`, `dream` (way ->
    share with interval), `game` (way -> probability) and `off`, the largest difference; None where no move is open.
    """
    world, device = subject.world, subject.place
    boards = truths.boards(starts.truth(0), truths.board_size(subject.game.params))
    found = [(i, action) for i, board in enumerate(boards) for action in range(4) if _open(board, action)]
    if not found:
        return None
    pairs = np.array(found)[np.arange(max(THROWS, len(found))) % len(found)]
    generator = torch.Generator(device=device).manual_seed(seed)
    state = begin(world, starts, device, generator)
    counts = dict.fromkeys([*WAYS, "elsewhere"], 0)
    for part in np.array_split(pairs, -(-len(pairs) // 500)):
        index, action = (torch.as_tensor(column).to(device) for column in part.T)
        after, _, _ = world.step(map_state(state, itemgetter(index)), action, 1.0, generator)
        seen = truths.boards(observations(world, after), boards.shape[-1])
        for before, asked, now in zip(boards[part[:, 0]], part[:, 1], seen, strict=True):
            counts[_way(before, int(asked), now)] += 1
    slip = float(subject.game.params["slip"])
    game = {"forward": 1.0 - slip, "right": slip / 2, "back": 0.0, "left": slip / 2, "elsewhere": 0.0}
    dream = {way: share_figure(count, len(pairs)) for way, count in counts.items()}
    off = max(abs(counts[way] / len(pairs) - odds) for way, odds in game.items())
    return {"n": len(pairs), "dream": dream, "game": game, "off": off}


def _place(board: np.ndarray) -> np.ndarray | None:
    """Row and column of the one agent; None where there is none, or more than one."""
    found = np.argwhere(board == AGENT)
    return found[0] if len(found) == 1 else None


def _open(board: np.ndarray, action: int) -> bool:
    place = _place(board)
    if place is None:
        return False
    targets = [place + MOVES[(action + WAYS[way]) % 4] for way in ("forward", "right", "left")]
    inside = all(t.min() >= 0 and t.max() < len(board) for t in targets)
    return inside and all(board[tuple(t)] == FLOOR for t in targets)


def _way(before: np.ndarray, action: int, after: np.ndarray) -> str:
    """The way that leads from the one board exactly to the other, `elsewhere` if none does."""
    place = _place(before)
    assert place is not None
    for way, turn in WAYS.items():
        target = place + MOVES[(action + turn) % 4]
        if not (target.min() >= 0 and target.max() < len(before)):
            continue
        board = before.copy()
        board[tuple(place)], board[tuple(target)] = FLOOR, AGENT
        if (board == after).all():
            return way
    return "elsewhere"
