"""Registers wmplay's environments the moment gymnasium is imported, so that `gymnasium.make("wmplay/…")` just works.

Gymnasium dropped its plugin entry points in 1.0. The wheel therefore installs `wmplay.pth`, which calls `install` when
Python starts. That costs no import of gymnasium: a finder waits for `gymnasium.envs`, steps aside, and registers.
"""

import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_TARGET = "gymnasium.envs"


def _register() -> None:
    """Register, or warn: whoever imports gymnasium for something else must not fail because of wmplay."""
    try:
        from wmplay.registration import register

        register()
    except (ImportError, AttributeError) as why:  # for instance another package named `envs` earlier on the path
        warnings.warn(f"wmplay could not register its environments: {why}", stacklevel=2)


class _AfterGymnasium:
    """A meta-path finder that finds nothing itself; it only runs `_register` after `gymnasium.envs` has been loaded."""

    def find_spec(self, name: str, *_: Sequence[str] | ModuleType | None) -> ModuleSpec | None:
        if name != _TARGET:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_then_register(module: ModuleType) -> None:
                execute(module)
                _register()

            spec.loader.exec_module = execute_then_register  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Register now if gymnasium is already there, else as soon as it is imported."""
    if _TARGET in sys.modules:
        _register()
    elif not any(isinstance(finder, _AfterGymnasium) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterGymnasium())  # type: ignore[arg-type]
