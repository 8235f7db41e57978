"""What a world makes of its weights once and then dreams with: layers joined into one, in the type they compute in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from wmplay.worlds.blocks import computed_in, full_precision

Made = TypeVar("Made", bound=tuple[Tensor, ...])


class Kept(nn.Module):
    """Holds what was made of weights for as long as they stay as they are.

    A child of the module whose weights they are. Weights count their changes, but not those by a fused optimiser, nor
    moves to another device or precision: it forgets where a gradient is asked for, and by what reaches every child.
    """

    def __init__(self) -> None:
        super().__init__()
        self._key: tuple[Any, ...] | None = None
        self._made: Any = None

    def usable(self) -> bool:
        """Whether nothing is being taught: what is kept has no gradient, and is forgotten where one is asked for."""
        if torch.compiler.is_compiling():
            return False
        if self.training or torch.is_grad_enabled():
            self._key = self._made = None
            return False
        return True

    def of(self, weights: Sequence[Tensor], make: Callable[[], Made]) -> Made:
        """make() [a named tuple of tensors], in the type that its weights compute in here; made anew after a change."""
        dtype = computed_in(weights[0])
        # What is born in inference mode counts no changes, and cannot change outside of it.
        key = (dtype, *(0 if part.is_inference() else part._version for part in weights))
        if self._key != key:
            # Plain tensors, whatever context asks first: others may copy or keep them.
            with torch.inference_mode(False), torch.no_grad(), full_precision(weights[0]):
                made = make()
                self._made = type(made)(*(_laid_out(part, dtype) for part in made))
            self._key = key
        return self._made  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Kept:
        self._key = self._made = None
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> Kept:
        self._key = self._made = None
        return super()._apply(*args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Kept:
        """Empty: the copy's weights count their changes from the start."""
        return Kept().train(self.training)


def _laid_out(part: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy; pictures' weights as layers want them that read channels last."""
    layout = torch.channels_last if part.dim() == 4 else torch.preserve_format
    return part.to(dtype, copy=True, memory_format=layout)
