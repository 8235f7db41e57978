"""From a name to a raw Gymnasium env: any registered id, or a class of one's own as `module:Class`."""

import difflib
import importlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
from gymnasium import error

import envs
from envs.adapters.blame import blame, line_of
from envs.adapters.own_class import adapt_instance
from envs.adapters.parameters import Parameter, parameters_of, unknown_parameter
from envs.errors import GameError, MissingGame, ParameterError

# Well-known games that live in packages of their own: start of the id, module to import, what to install.
_PACKAGES = (
    ("ALE/", "ale_py", "ale-py"),
    ("MiniGrid-", "minigrid", "minigrid"),
    ("BabyAI-", "minigrid", "minigrid"),
    ("MiniWorld-", "miniworld", "miniworld"),
    ("MinAtar/", "minatar", "minatar"),
    ("highway-", "highway_env", "highway-env"),
    ("procgen", "procgen", "procgen"),
)
_CLASS = re.compile(r"(?P<module>[^:]+):(?P<name>[A-Za-z_]\w*)")


def is_own_class(spec: str) -> bool:
    """Whether a name is `module:Class` (or `file.py:Class`) rather than a Gymnasium id."""
    return _CLASS.fullmatch(spec) is not None


def make_raw(spec: str, render_mode: str | None, params: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """The env behind a Gymnasium id (also `module:Id-v0`) or `module:Class`. Raises GameError."""
    match = _CLASS.fullmatch(spec)
    if match:
        return _make_class(match["module"], match["name"], spec, params)
    envs.register()
    _import_package(spec)
    try:
        return gymnasium.make(spec, render_mode=render_mode, disable_env_checker=True, **params)
    except error.DependencyNotInstalled as why:
        raise GameError(f"{spec} needs something that is not installed: {_one_line(why)}") from why
    except error.UnregisteredEnv as why:
        near = near_ids(spec)
        hint = f"Did you mean {' or '.join(near)}?" if near else _one_line(why)
        raise MissingGame(f"Gymnasium knows no game {spec!r}. {hint}") from why
    except ModuleNotFoundError as why:
        raise GameError(f"{spec} needs the module {why.name}; try: pip install {_pip_name(why.name)}") from why
    except error.Error as why:
        raise GameError(f"{spec} cannot be made: {_one_line(why)}") from why
    except (TypeError, ValueError, AttributeError, ImportError, OSError, RuntimeError, AssertionError) as why:
        if unknown := unknown_parameter(why, spec, spec, params):
            raise ParameterError(unknown) from why
        raise GameError(f"{spec} cannot be made: {type(why).__name__}: {_one_line(why)}") from why


def near_ids(name: str) -> list[str]:
    """Ids of Gymnasium that somebody who typed this may have meant, newest versions only."""
    newest: dict[str, tuple[int, str]] = {}
    for entry in gymnasium.registry.values():
        key = entry.id.rpartition("-v")[0] if entry.version is not None else entry.id
        newest[key.lower()] = max(newest.get(key.lower(), (-1, "")), (entry.version or 0, entry.id))
    bare = name.rpartition("-v")[0] if re.search(r"-v\d+$", name) else name
    return [newest[key][1] for key in difflib.get_close_matches(bare.lower(), newest, 2, cutoff=0.75)]


def _import_package(spec: str) -> None:
    """Import the package that registers a well-known id, or say how to install it."""
    if spec in gymnasium.registry:
        return
    for prefix, module, pip in _PACKAGES:
        if not spec.startswith(prefix):
            continue
        if importlib.util.find_spec(module) is None:
            raise GameError(f"{spec} comes with a package that is not installed; run: pip install {pip}")
        with blame(f"importing {module}"):
            gymnasium.register_envs(importlib.import_module(module))


def parameters(spec: str) -> tuple[Parameter, ...]:
    """What parameters the game behind an id or `module:Class` takes. Raises GameError if there is no such game."""
    match = _CLASS.fullmatch(spec)
    if match:
        return parameters_of(_find_class(match["module"], match["name"], spec))
    envs.register()
    _import_package(spec)
    try:
        return parameters_of(spec)
    except error.Error as why:
        raise MissingGame(f"Gymnasium knows no game {spec!r}. {_one_line(why)}") from why
    except (ImportError, AttributeError) as why:
        raise GameError(f"{spec} cannot be made: {_one_line(why)}") from why


def _find_class(module_name: str, name: str, spec: str) -> Any:
    module = _load(module_name)
    if not hasattr(module, name):
        classes = [n for n, v in vars(module).items() if isinstance(v, type) and v.__module__ == module.__name__]
        near = difflib.get_close_matches(name, classes, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(classes[:20]) or 'none'}."
        raise MissingGame(f"{module_name} has no class {name!r}; {hint}")
    maker = getattr(module, name)
    if not callable(maker):
        raise GameError(f"{spec} is a {type(maker).__name__}, not a class.")
    return maker


def _make_class(module_name: str, name: str, spec: str, params: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    maker = _find_class(module_name, name, spec)
    with blame(f"{spec}({', '.join(f'{k}={v!r}' for k, v in params.items())})"):
        try:
            game = maker(**params, **_drawing(maker))
        except TypeError as why:
            if unknown := unknown_parameter(why, spec, maker, params):
                raise ParameterError(unknown) from why
            raise
    return adapt_instance(game, spec)


def _drawing(maker: Any) -> dict[str, str]:
    """`render_mode` for a class that takes one and says that it draws: else its render() would draw nothing."""
    draws = "rgb_array" in (getattr(maker, "metadata", None) or {}).get("render_modes", ())
    return {"render_mode": "rgb_array"} if draws and "render_mode" in inspect.signature(maker).parameters else {}


def _load(name: str) -> ModuleType:
    """Import a module by name, the current folder included, or a `.py` file by path."""
    path = Path(name)
    if path.suffix == ".py":
        if not path.is_file():
            raise MissingGame(f"There is no file {name}.")
        # Under its own name and with its folder on the path, as if it were run from there.
        folder, name = str(path.resolve().parent), path.stem
    else:
        folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as why:
        if why.name is not None and (name == why.name or name.startswith(why.name + ".")):
            raise MissingGame(f"There is no module {name!r}, neither in {folder} nor installed.") from why
        line = line_of(why)
        raise GameError(f"{name} needs the module {why.name}{line}; try: pip install {_pip_name(why.name)}") from why
    except SyntaxError as why:
        place = f"{Path(why.filename or name).name}, line {why.lineno}"
        raise GameError(f"{name} is not valid Python: {why.msg} ({place})") from why
    except Exception as why:
        raise GameError(f"importing {name} failed: {type(why).__name__}: {why}{line_of(why)}") from why


def _pip_name(module: str | None) -> str:
    known = {"Box2D": '"gymnasium[box2d]"', "cv2": "opencv-python", "mujoco": '"gymnasium[mujoco]"'}
    top = (module or "").partition(".")[0]
    return known.get(top) or next((pip for _, name, pip in _PACKAGES if name == top), top)


def _one_line(why: BaseException) -> str:
    return " ".join(str(why).split())
