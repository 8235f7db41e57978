"""The memory of a canvas: from the keys, where the camera goes and what the instruments show; with reward and end.

Shapes: B batch, T time, Z sprite code, D hidden, A encoded action.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wmplay.worlds.blocks import RunningScale, detached, gru_inputs, gru_step, masked_mean, mlp, transitions
from wmplay.worlds.geometry import compose, journey
from wmplay.worlds.glances import GLANCE_SIZE, turned
from wmplay.worlds.next_screen import NextScreen
from wmplay.worlds.protocol import Segment
from wmplay.worlds.rewards import RewardScale
from wmplay.worlds.screen import PARTS

# Numbers that a glance becomes.
LOOK = 32
# Of the reward's squared error, in deviations; and of the screen's cross-entropy, which teaches no other part anything.
REWARD_WEIGHT, SCREEN_WEIGHT = 0.05, 0.1
# The screen is learned from every so manieth row; and where small operations cost what they do on a CPU, in this share
# of the steps: it knows its game by heart long before the motion does, and took 17 of 63 ms of each.
SELDOM, SCREEN_SHARE = 8, 0.25
# From where on an error counts by its size, no longer by its square: of a step's motion, in deviations, and of the pose
# it adds up to, in units. A slide nobody can foresee would else outweigh a thousand bends. In 400 s, 15 steps ahead,
# the pose was 1.64 and 1.17 units off (persistent player and driver, held-out play, root of the mean square), by
# squares and with a bound of 1 for the pose 1.81 and 1.27; the median of the turn 1.53 and 0.90 degrees for 1.62 and
# 0.94.
SLIDE, ASTRAY = 0.3, 0.2


class CanvasMemory(nn.Module):
    """The GRU that drives camera and instruments, and the heads for reward and end.

    `moved` [B, 3 + Z] is what one step changed: the camera's motion and the code of what stays on the screen.
    """

    def __init__(self, sprite_size: int, hidden_size: int, actions: int) -> None:
        super().__init__()
        moved = 3 + sprite_size
        self.hidden_size = hidden_size
        self.scale = RunningScale(moved)
        self.look = mlp((GLANCE_SIZE, 128, LOOK))
        self.cell = nn.GRUCell(moved + LOOK + actions, hidden_size)
        self.change = mlp((hidden_size, 128, moved))
        self.reward = mlp((hidden_size + 2 * LOOK, 128, 1))
        self.rewards = RewardScale()
        self.end = mlp((hidden_size + 2 * LOOK, 128, 1))
        self.screen = NextScreen(hidden_size, moved)
        last = self.change[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)

    def advance(self, hidden: Tensor, moved: Tensor, look: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """One step: the next hidden [B, D] and `moved`. look [B, 32]: the glance it left; `action` is encoded."""
        hidden, units = self._step(hidden, self.scale.normalise(moved), look, action)
        return hidden, self.scale.restore(units)

    def _step(self, hidden: Tensor, units: Tensor, look: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """`advance` with `moved` in deviations from its mean."""
        hidden = gru_step(self.cell, gru_inputs(self.cell, units, look, action), hidden)
        return hidden, units + self.change(hidden).float()

    def _hold(self, units: Tensor, looks: Tensor, action: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """`_step` through rows that are all known, from an empty memory: units [B, T, 3 + Z], looks [B, T, 32], encoded
        action [B, T, A]. The hidden [B, D] that goes on, and those after each row [B, T, D]; emptied after a row where
        keep [B, T] is 0."""
        hidden = units.new_zeros(len(units), self.hidden_size)
        held = []
        inputs = gru_inputs(self.cell, units, looks, action)
        for now, kept in zip(inputs.unbind(1), keep.unbind(1), strict=True):
            held.append(gru_step(self.cell, now, hidden))
            hidden = held[-1] * kept[:, None]
        return hidden, torch.stack(held, 1)

    def outcome(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Reward and logit of the end [...] of hidden, look before and look after, side by side [..., D + 64]."""
        told, end = self._told(seen)
        return self.rewards.restore(told), end

    def _told(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The same, with the reward in deviations."""
        return self.reward(seen).squeeze(-1).float(), self.end(seen).squeeze(-1).float()

    def loss(
        self,
        segment: Segment,
        action: Tensor,
        read: int,
        motion_scale: Tensor,
        stretch: Tensor,
        width: int,
        generator: torch.Generator,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Error of what moved (Huber 1964), and of the pose it adds up to while the memory is on its own.

        segment: encoded, `moved`, what the screen shows and glance side by side. action [B, T, A]: encoded. read: rows
        that are read as they are; those after them read their own predictions, and of the world only what was seen
        before, from where they think they are: real glances would tell how the camera really moved, which no dream
        knows. motion_scale [3]: what counts as one unit of error in the pose. stretch [2] and width: of the frame, for
        `turned`. generator: decides in which steps of training on a CPU the screen is learned, too; in the others it is
        no part of the loss, nor of what is returned beside it: the parts of the loss.
        """
        size = len(self.scale.mean)
        rows = segment.observation.float()
        moved, screens, glances = rows.split((size, PARTS, GLANCE_SIZE), dim=-1)
        valid, keep = transitions(segment.first, segment.mask)
        # The first row of an episode has no frame before it: there is no motion to learn from.
        moved = torch.cat((moved[..., :3] * valid[..., None], moved[..., 3:]), dim=-1)
        self.scale.learn(moved[valid])
        units = self.scale.normalise(moved)
        real = self.look(glances).float()
        batch, length = segment.reward.shape
        told = min(read, length - 1)  # steps before which all was read
        hidden, held = self._hold(units[:, :told], real[:, :told], action[:, 1 : told + 1], keep[:, 1 : told + 1])
        guessed = units[:, :told] + self.change(held).float()
        hiddens, guesses, looks = [held], [guessed], [real[:, :told]]  # what the memory had seen before each step
        guess = guessed[:, -1]
        pose = rows.new_zeros(batch, 3)
        together = keep[:, read:].cumprod(1)  # no new episode since the memory was left alone
        for t in range(read + 1, length):
            with torch.no_grad():
                pose = compose(pose, self.scale.restore(guess)[:, :3])
                left = turned(glances[:, read - 1], pose, stretch, width) * together[:, t - read - 1, None]
            look = self.look(left).float()
            last = torch.where(valid[:, t - 1, None], guess, units[:, t - 1])
            now, guess = self._step(hidden, last, look, action[:, t])
            hidden = now * keep[:, t, None]
            looks.append(look[:, None])
            hiddens.append(now[:, None])
            guesses.append(guess[:, None])
        ok, held, guessed = valid[:, 1:], torch.cat(hiddens, 1), torch.cat(guesses, 1)
        wrong = 2.0 * F.huber_loss(guessed[..., :3], units[:, 1:, :3], reduction="none", delta=SLIDE)
        unlike = (guessed[..., 3:] - units[:, 1:, 3:]).square()
        motion_loss, sprite_loss = masked_mean(wrong.mean(-1), ok), masked_mean(unlike.mean(-1), ok)
        alone, truly = self.scale.restore(guessed[:, read - 1 :])[..., :3], moved[:, read:, :3]
        off = (journey(alone) - journey(truly)) / motion_scale * together[..., None]
        drift_loss = F.smooth_l1_loss(off, torch.zeros_like(off), beta=ASTRAY) if read < length else rows.new_zeros(())
        seen = torch.cat((held, torch.cat(looks, 1), real[:, 1:]), dim=-1)
        reward, end = self._told(seen)
        self.rewards.learn(segment.reward[:, 1:][ok])
        reward_loss = masked_mean(self.rewards.error(reward, segment.reward[:, 1:]), ok)
        ended = segment.terminated[:, 1:].float()
        end_loss = masked_mean(F.binary_cross_entropy_with_logits(end, ended, reduction="none"), ok)
        loss = motion_loss + sprite_loss + drift_loss + REWARD_WEIGHT * reward_loss + end_loss
        metrics = {"loss": loss, "motion": motion_loss, "sprite": sprite_loss, "drift": drift_loss,
                   "reward": reward_loss, "end": end_loss}  # fmt: skip
        if not self.training or rows.device.type != "cpu" or torch.rand((), generator=generator) < SCREEN_SHARE:
            some = ok[:, ::SELDOM]
            before, shown = (screens[:, k::SELDOM][:, : some.shape[1]][some].long() for k in (0, 1))
            hidden, guess = held[:, ::SELDOM][some], guessed[:, ::SELDOM][some]
            metrics["screen"] = self.screen.loss(hidden, guess, before, glances[:, 1::SELDOM][some], shown)
            loss = loss + SCREEN_WEIGHT * metrics["screen"]
        return loss, detached(**metrics)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        # Weights from before screens had parts know mistakes instead.
        for name in [key for key in state_dict if key.startswith(f"{prefix}surprises.")]:
            del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, *more)
