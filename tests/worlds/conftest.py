"""The families under test, one after the other."""

from __future__ import annotations

import pytest

from .cases import Case


@pytest.fixture(params=["state_vae", "vae_mdn", "vqvae_mdn", "tokens", "rssm", "canvas"])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)
