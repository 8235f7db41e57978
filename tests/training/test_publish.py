"""What a slot keeps of what was learned."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.training.helpers import loop, order
from wmplay.dreams.load import load_world


def test_a_slot_keeps_what_paints_in_half_precision_and_paints_the_same(home: Path) -> None:
    """A second painter would else have made the shipped slots larger than what a repository should hold."""
    path, settings = order("grid_world", "canvas", "x", steps=12)
    running = loop(path, settings)
    assert running.run() == "done"
    world, kept = running.shop.world, load_file(path / "world.safetensors")
    halved = {name.partition(".")[0] for name, value in kept.items() if value.dtype == torch.float16}
    assert halved == {"painter", "foreteller"}
    for name, value in world.state_dict().items():
        exact = kept[name].dtype != torch.float16
        torch.testing.assert_close(
            kept[name].to(value.dtype), value, atol=0.0 if exact else 1e-6, rtol=0.0 if exact else 6e-4
        )
    picture = torch.rand(1, 3, 64, 64)
    asking = (picture, *(torch.zeros(1, n, 64, 64) for n in (1, 1, 2)), torch.zeros(1, 128), torch.zeros(1, 4, 32, 32))
    again = load_world("x", "cpu")
    for painter in ("painter", "foreteller"):
        features, modes = again.get_submodule(painter)(*asking)
        before, ways = world.get_submodule(painter).float()(*asking)
        assert features.dtype == torch.float32
        torch.testing.assert_close(features, before, atol=0.01, rtol=0.01)
        torch.testing.assert_close(modes, ways, atol=0.01, rtol=0.01)
