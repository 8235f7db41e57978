"""How large an RSSM is and how it is trained: its fields are what `--set` takes.

Weights and free bits are those of Hafner et al. 2023, arXiv 2301.04104.
"""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from wmplay.worlds.blocks import STRICT


@dataclass(frozen=True, config=STRICT)
class RssmConfig:
    """Sizes: a CPU's, see `base` for more."""

    deterministic: int = Field(256, ge=8, le=16384, description="units of the GRU")
    latents: int = Field(32, ge=1, le=256, description="categorical latents")
    classes: int = Field(32, ge=2, le=256, description="classes of each latent")
    units: int = Field(256, ge=8, le=8192, description="width of the dense layers")
    blocks: int = Field(8, ge=1, le=64, description="blocks of the GRU's matrices")
    depth: int = Field(16, ge=2, le=512, description="width of the convolutions, in units of which they are built")
    layers: int = Field(1, ge=0, le=8, description="dense layers of the reward and end heads")
    bins: int = Field(255, ge=3, le=4095, description="two-hot bins of the reward")
    prior_weight: float = Field(1.0, ge=0.0, le=100.0, description="weight of pulling the prior to the posterior")
    posterior_weight: float = Field(0.1, ge=0.0, le=100.0, description="weight of pulling the posterior to the prior")
    free_nats: float = Field(1.0, ge=0.0, le=100.0, description="divergence, in nats, below which it costs nothing")
    vector_weight: float = Field(100.0, gt=0.0, le=1e6, description="weight of a state vector's squared error")
    focus: float = Field(
        30.0, ge=1.0, le=255.0, description="weight, at most, of pixels that stand out where few do; 1: all alike"
    )
    batch: int = Field(16, ge=1, le=4096, description="segments in a batch")
    length: int = Field(32, ge=2, le=4096, description="rows in a segment")
    learning_rate: float = Field(3e-3, gt=0.0, le=1.0, description="step size of Adam and Muon")

    @model_validator(mode="after")
    def _together(self) -> RssmConfig:
        if self.deterministic % self.blocks:
            raise ValueError(f"deterministic ({self.deterministic}) must be a multiple of blocks ({self.blocks})")
        return self
