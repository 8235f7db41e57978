"""Puts what training has reached into the slot, in one transaction, so that it can be played while it still trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safetensors.torch import save
from torch import Tensor

from wmplay.core import slots
from wmplay.training import preview
from wmplay.training.checkpoint import portable
from wmplay.worlds.protocol import World

if TYPE_CHECKING:
    from wmplay.training.workshop import Workshop


def publish(shop: Workshop, steps: int, pictures: bool) -> None:
    """Weights, steps and metrics; with `pictures` also the thumbnail and the little film. Raises WmplayError."""
    files: dict[str, Any] = {"world.safetensors": save(portable(_kept(shop.world)))}
    updates: dict[str, Any] = {"steps": steps, "metrics": _summary(shop), **shop.extra}
    files.update(shop.files)
    if pictures:
        modes = {module: module.training for module in shop.world.modules()}
        contexts = shop.contexts()
        film = preview.film(shop.world, contexts)
        files["thumb.png"] = preview.as_png(film[len(film) // 3])
        files["preview.gif"] = preview.as_gif(film, shop.game.fps)
        for module, was in modes.items():
            module.training = was
    slots.save_slot(shop.path, updates, files)


def _kept(world: World) -> dict[str, Tensor]:
    """A world's weights as a slot keeps them; see `World.halved`."""

    def half(name: str, value: Tensor) -> bool:
        return name.partition(".")[0] in world.halved and value.ndim > 1

    return {name: value.half() if half(name, value) else value for name, value in world.state_dict().items()}


def _summary(shop: Workshop) -> dict[str, float]:
    """The last figures of every phase (named `phase/figure`): those of phases that this round does not train stay.

    What a report card put there goes: it was measured on weights that are no longer there.
    """
    trained = {name.partition("/")[0] for name in shop.metrics}
    before = slots.read_slot(shop.path).metrics
    kept = {name: value for name, value in before.items() if "/" in name and name.partition("/")[0] not in trained}
    return {**kept, **shop.metrics}
