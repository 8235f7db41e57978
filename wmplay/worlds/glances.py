"""Glances: frames made small, for what needs to know roughly what the camera sees or has seen.

Shapes: B batch, H W frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wmplay.worlds.geometry import sample, seen_from

# A glance is this many pixels wide.
GLANCE = 16
GLANCE_SIZE = 3 * GLANCE * GLANCE


def glance(picture: Tensor, shown: Tensor) -> Tensor:
    """The picture [B, 3, H, W] at 16 × 16, flat [B, 768]; 0 where `shown` [B or 1, 1, H, W] is 0."""
    return F.adaptive_avg_pool2d((picture - 0.4) * shown, GLANCE).flatten(1).float()


def turned(glances: Tensor, pose: Tensor, stretch: Tensor, width: int) -> Tensor:
    """What is left of glances [B, 768] for a camera that has moved by `pose` [B, 3] since; 0 where it sees new land.

    width: of the frame, in pixels. A frame that is not square is sampled as if it were: a glance is coarse anyway.
    """
    points = seen_from(_in_glances(pose, width), stretch, GLANCE, GLANCE)
    return sample(glances.unflatten(1, (3, GLANCE, GLANCE)), points).flatten(1)


def wide_view(glances: Tensor, shown: Tensor, pose: Tensor, stretch: Tensor, width: int) -> Tensor:
    """Like `turned`, over twice the frame each way: colour and known [B, 4, 32, 32].

    shown [1, 1, H, W]: 1 where the frames that were glanced at show the world.
    """
    points = seen_from(_in_glances(pose, width), stretch, 2 * GLANCE, 2 * GLANCE)
    known = F.adaptive_avg_pool2d(shown, GLANCE).expand(len(pose), -1, -1, -1)
    return sample(torch.cat((glances.unflatten(1, (3, GLANCE, GLANCE)), known), dim=1), points)


def _in_glances(pose: Tensor, width: int) -> Tensor:
    """A pose [B, 3] with its lengths in pixels of a glance; made on the device, which a hot loop need not wait for."""
    return torch.cat((pose[:, :2] * (GLANCE / width), pose[:, 2:]), dim=-1)
