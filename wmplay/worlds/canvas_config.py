"""Sizes and training of the map-making family, `canvas`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from wmplay.worlds.blocks import STRICT


@dataclass(frozen=True, config=STRICT)
class CanvasConfig:
    """Sizes and training of the map-making world model. Defaults were chosen on CarRacing, 15 minutes on two cores."""

    retired: ClassVar[tuple[str, ...]] = ("map_size", "map_detail")  # a map is as fine as `geometry.DETAIL` now

    colours: int = Field(32, ge=2, le=1024, description="colours the painter chooses from")
    painter_width: int = Field(32, ge=4, le=512, description="channels of the painter's finest layer")
    sprite_size: int = Field(24, ge=1, le=512, description="entries of the code for what stays on the screen")
    hidden_size: int = Field(128, ge=4, le=8192, description="hidden size of the GRU")
    vision_batch: int = Field(48, ge=1, le=8192, description="pairs of frames in a batch of the vision phase")
    painter_batch: int = Field(24, ge=1, le=8192, description="frames in a batch of the painter phase")
    reach: int = Field(40, ge=9, le=4096, description="the longest journey, in rows, over which the painter learns")
    batch: int = Field(32, ge=1, le=8192, description="segments in a batch of the memory phase")
    length: int = Field(32, ge=2, le=4096, description="rows in a segment of the memory phase")
    open_loop: int = Field(24, ge=0, le=4096, description="rows at a segment's end where it reads its own predictions")
    # After 150 s of the memory alone the pose was, in root mean square, 1.9 and 2.0 units off after 15 steps (keys of a
    # player and of an expert) at 0.7, 1.1 and 2.0 at 1.0, after 240 s at 0.35 it was 2.4 and 1.9; over 24 steps 0.7
    # was better than 1.0.
    brief: float = Field(0.7, ge=0.0, le=1.0, description="part of the memory phase that learns from half segments")
    learning_rate: float = Field(
        2e-3, gt=0.0, le=1.0, description="step size of Adam and Muon; the memory's is twice that"
    )

    @model_validator(mode="after")
    def _together(self) -> CanvasConfig:
        if self.open_loop >= self.length:
            raise ValueError(f"open_loop ({self.open_loop}) must be smaller than length ({self.length})")
        return self
