"""What every frame is encoded to, once: the same on any machine, and with an end to it when something goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.helpers import Killed, kill_after, loop, order
from wmplay.core.errors import WmplayError
from wmplay.training import source
from wmplay.training.loop import Loop


@pytest.fixture
def running(home: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """A run that has collected, and whose world is as it was made; encoded in pieces of 16 rows."""
    monkeypatch.setattr(source, "_ROWS", 16)
    path, settings = order("grid_world", "canvas", "x")
    run = loop(path, settings)
    kill_after(run, "vision", 0)
    with pytest.raises(Killed):
        run.run()
    return run


def test_it_is_the_same_with_any_number_of_threads(running: Loop) -> None:
    """A slot that goes on elsewhere would train on other numbers, and a slow machine's be another model."""
    shop, found = running.shop, []
    for threads in (1, 2, 3):
        shop.threads = threads
        found.append([np.array(part) for part in source.encode_all(shop)])
        assert torch.get_num_threads() == threads, "what follows has all of them again"
        (shop.path / "train" / "cache" / "index.json").unlink()
    for others in found[1:]:
        for a, b in zip(found[0], others, strict=True):
            assert len(a) > 100 and np.array_equal(a, b)


def test_an_error_ends_it_soon(running: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a full disk is told when the last of a hundred thousand frames has been encoded for nothing."""
    shop, asked = running.shop, []
    encode = type(shop.world).encode_after

    def counted(*of: Any) -> Any:
        asked.append(1)
        return encode(*of)

    def full(_text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(shop.world), "encode_after", counted)
    shop.threads, shop.working = 2, full
    with pytest.raises(WmplayError, match="disk is full"):
        source.encode_all(shop)
    assert len(asked) <= 2 * source._AHEAD
    assert sum(data.rows for data in shop.datasets()) > 16 * len(asked)
