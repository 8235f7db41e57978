"""How far a dream stays with the game: error by horizon against held-out play, beside what no model at all would
score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wmplay.core.catalog import Game
from wmplay.evaluate import similarity, truths
from wmplay.evaluate.rollout import dream, observations, pictures
from wmplay.evaluate.starts import Starts
from wmplay.evaluate.statistics import mean_figure, share_figure, skill_figure
from wmplay.worlds.protocol import State, World

HORIZONS = (1, 5, 15, 50, 200)
# Where the curve of error by horizon has its points; pictures are only decoded there.
CURVE = (1, 2, 3, 5, 8, 11, 15, 20, 30, 40, 50, 65, 80, 100, 125, 150, 175, 200)

Card = dict[str, dict[str, Any]]

# A curve goes on as long as this many starts do: a mean of two or three is a matter of luck.
FEWEST = 8
# Where a dream ends at temperature 0.
ENDED = 0.5


def mean_observation(observation: NDArray[Any]) -> NDArray[np.float32]:
    """The mean of observations [N, ...] as float32 [...], in their own units: the second baseline."""
    total = np.zeros(observation.shape[1:], np.float64)
    for start in range(0, len(observation), 256):  # in pieces: a memory map may be larger than the memory
        total += observation[start : start + 256].sum(axis=0, dtype=np.float64)
    return (total / len(observation)).astype(np.float32)


def _tensor(frames: NDArray[Any]) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(frames))


class Comparison:
    """Compares one regime's dreams with the truth, on frames where the game has any and on scaled variables elsewhere.

    ranges: float [S], by which the variables of a vector game are divided; None for frames.
    mean: the mean training observation, float32, in the observation's own units.
    """

    def __init__(
        self, world: World, game: Game, starts: Starts, mean: NDArray[np.float32], ranges: NDArray[np.float32] | None
    ) -> None:
        self.world, self.game, self.starts, self.mean, self.ranges = world, game, starts, mean, ranges
        self._still = np.ones(starts.count, dtype=np.bool_)  # boards exact so far
        self._ended = np.zeros(starts.count, dtype=np.bool_)  # dreams that have ended by their own word
        self._last: NDArray[Any] | None = None

    def _pixels(self, seen: NDArray[Any]) -> torch.Tensor | None:
        frames = pictures(self.world, seen)
        return None if frames is None else _tensor(frames)

    def _error(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """Squared errors [N] of observations: of frames on a scale of 1, of variables relative to their range."""
        if self.ranges is not None:
            scaled = (np.asarray(a, np.float64) - np.asarray(b, np.float64)) / self.ranges
            return (scaled**2).mean(axis=-1)
        x, y = (_tensor(v).float() / 255 for v in (a, b))
        return (x - y).square().flatten(1).mean(dim=1).double().numpy()

    def errors(self, k: int, seen: NDArray[Any]) -> tuple[NDArray[np.float64], ...]:
        """Squared errors of the dream, the repeated last frame and the mean, over the starts that last k steps."""
        lasting = self.starts.lasting(k)
        real = self.starts.truth(k)[lasting]
        still = self.starts.truth(0)[lasting]
        flat = np.broadcast_to(self.mean, real.shape)
        return self._error(seen[lasting], real), self._error(still, real), self._error(flat, real)

    def held(self, seen: NDArray[Any], end: NDArray[np.float32]) -> NDArray[Any]:
        """Observations with those of dreams that have ended staying as they ended. Call it for k = 1, 2, 3, …

        As a player would see it; a pole that is dreamed on after its fall turns for ever, which measures nothing.
        """
        shown = seen if self._last is None else np.where(self._ended[:, None], self._last, seen)
        self._last = shown
        self._ended |= end >= ENDED
        return shown

    def exact(self, k: int, seen: NDArray[Any]) -> NDArray[np.bool_]:
        """bool [N]: the dreamed board equals the real one at this and every earlier step. Call it for k = 1, 2, 3, …"""
        lasting = self.starts.lasting(k)
        size = truths.board_size(self.game.params)
        same = np.zeros(len(seen), dtype=np.bool_)
        same[lasting] = truths.same_board(seen[lasting], self.starts.truth(k)[lasting], size)
        self._still &= same
        return self._still[lasting]

    def figures(self, k: int, seen: NDArray[Any], exact: NDArray[np.bool_] | None) -> dict[str, Any]:
        """Everything the card says at horizon k."""
        lasting = self.starts.lasting(k)
        count = int(lasting.sum())
        if count == 0:
            return {"n": 0}
        model, still, flat = self.errors(k, seen)
        real, dreamed, last = self.starts.truth(k)[lasting], seen[lasting], self.starts.truth(0)[lasting]
        row: dict[str, Any] = {
            "n": count,
            "mse": mean_figure(model),
            "skill": skill_figure(model, [still, flat]),
            "repeat_mse": mean_figure(still),
            "mean_mse": mean_figure(flat),
        }
        a, b = self._pixels(dreamed), self._pixels(real)
        if a is not None and b is not None:
            error = torch.as_tensor(model) if self.ranges is None else similarity.mse(a, b)
            row["psnr"] = mean_figure(similarity.psnr(error))
            row["ssim"] = mean_figure(similarity.ssim(a, b))
        if exact is not None:
            row["exact"] = share_figure(int(exact.sum()), count)
        if self.game.truth == "road":
            overlap, shown = truths.road_overlap(dreamed, real)
            row["road_iou"] = mean_figure(overlap[shown])
            row["repeat_road_iou"] = mean_figure(truths.road_overlap(last, real)[0][shown])
            row["road_n"] = int(shown.sum())
        if self.game.truth == "pole":
            gap, found = truths.pose_errors(dreamed, real)
            row["pole_seen"] = share_figure(int(found.sum()), count)
            row["state_n"] = int(found.sum())
            row.update(_variables(gap[found], list(truths.POSE)))
        if self.ranges is not None:
            gap = np.abs(dreamed - real) / self.ranges
            row.update(_variables(gap, truths.state_names(self.game.short, gap.shape[1])))
            going_on = lasting & ~self.starts.terminated[:, self.starts.context - 1 + k]
            row["ended_early"] = share_figure(int(self._ended[going_on].sum()), int(going_on.sum()))
        return row


def _variables(gap: NDArray[Any], names: Sequence[str]) -> dict[str, Any]:
    """The mean error of each variable, gap [N, S], and the figure that must be small for all to be: the worst one's."""
    if not len(gap):
        return {}
    errors = {name: mean_figure(gap[:, i]) for i, name in enumerate(names)}
    return {"state_errors": errors, "state_error": max(errors.values(), key=lambda figure: figure[0] if figure else 0)}


def measure(
    world: World,
    game: Game,
    starts: Starts,
    mean: NDArray[np.float32],
    ranges: NDArray[np.float32] | None = None,
    temperature: float = 0.0,
    horizons: Sequence[int] = HORIZONS,
    device: torch.device | str = "cpu",
    seed: int = 0,
    tick: Callable[[], None] | None = None,
    began: State | None = None,
) -> tuple[Card, dict[str, list[float]]]:
    """One regime's card: {k: figures}, and the curve {k, model, repeat, mean} of squared errors for the picture.

    began: see `rollout.dream`.
    """
    wanted = [k for k in horizons if k <= starts.horizon]
    comparison = Comparison(world, game, starts, mean, ranges)
    card: Card = {}
    curve: dict[str, list[float]] = {"k": [], "model": [], "repeat": [], "mean": []}
    boards = game.truth == "board"
    for step in dream(world, starts, max(wanted, default=0), temperature, device, seed, tick, began):
        if not (boards or ranges is not None or step.k in wanted or step.k in CURVE):
            continue
        seen = observations(world, step.state)
        if ranges is not None:
            seen = comparison.held(seen, step.end)
        exact = comparison.exact(step.k, seen) if boards else None
        if step.k in CURVE and starts.lasting(step.k).sum() >= min(FEWEST, starts.count):
            curve["k"].append(step.k)
            for name, values in zip(("model", "repeat", "mean"), comparison.errors(step.k, seen), strict=True):
                curve[name].append(float(values.mean()))
        if step.k in wanted:
            card[str(step.k)] = comparison.figures(step.k, seen, exact)
    return card, curve


def variable_ranges(regimes: Sequence[Starts]) -> NDArray[np.float32] | None:
    """How far each variable of a vector game moves over all the held-out play, float32 [S]; None for frames."""
    if not regimes or regimes[0].observation.dtype == np.uint8:
        return None
    rows = np.concatenate([s.observation[np.arange(s.observation.shape[1])[None] < s.valid[:, None]] for s in regimes])
    return np.maximum(rows.max(axis=0) - rows.min(axis=0), 1e-6).astype(np.float32)
