"""Stretches of a loss that torch may compile into fewer, larger operations: marked in the worlds, switched on here.

A compiled loop spends its time on numbers, not on starting one small operation after another. Making it takes a C++
compiler and a minute or two, so it is a `Precision` like others: tried where a phase is long, kept where it is faster.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")

# Rows of a loop that are compiled in one piece: with more it runs faster still, but takes minutes to make.
ROWS_AT_ONCE = 8
# How often it is looked whether compiling is still wanted, and how long leaving it may take before it is told again.
LOOK_EVERY, AGAIN = 0.25, 2.0


class Abandoned(BaseException):
    """Compiling was left half done. No Exception: those are caught on the way, as a reason to compile less."""


class _Switch(threading.local):
    """on: whether marked functions run compiled in this thread."""

    on = False


class _Trouble:
    """why: the first reason, in one line, for which something could not be compiled in this process."""

    why: str | None = None


_switch = _Switch()


@contextmanager
def allowed(on: bool = True) -> Iterator[None]:
    """Within it marked functions run compiled, where gradients are kept, or as they are written; in this thread."""
    before, _switch.on = _switch.on, on
    try:
        yield
    finally:
        _switch.on = before


@contextmanager
def unless(asked: Callable[[], bool]) -> Iterator[None]:
    """Within it the main thread is left with `Abandoned` once asked() is true; other threads, and systems without
    timers, go on to the end."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def look(*_: Any) -> None:
        if inside and asked():
            # Once more if somebody swallows it.
            signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
            raise Abandoned

    inside = True
    handler = signal.signal(signal.SIGALRM, look)
    timer = signal.setitimer(signal.ITIMER_REAL, LOOK_EVERY, LOOK_EVERY)
    try:
        try:
            yield
        finally:
            inside = False  # an alarm that comes while the timer is put back is too late
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def keep_in(folder: Path) -> None:
    """Keep compiled code there for the next time."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)


def possible() -> bool:
    """Whether there is a C++ compiler that torch would find, by the variable CXX or by its usual names."""
    named = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((named,) if named else ("g++", "clang++", "cl")))


def give_up(why: BaseException | str) -> None:
    """Compile nothing more in this process, and remember why."""
    if _Trouble.why is None:
        lines = str(why).strip().splitlines() or [type(why).__name__]
        _Trouble.why = lines[0][:200]


def failed() -> bool:
    """Whether something could not be compiled here, for want of Python's headers perhaps; since then nothing is."""
    return _Trouble.why is not None


def why_failed() -> str:
    """The first reason, in one line; empty where nothing failed."""
    return _Trouble.why or ""


def compilable(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function or method of tensors without side effects, whose course hangs on no tensor's values."""
    made: Callable[P, R] | None = None

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal made
        if not _switch.on or failed() or not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return function(*args, **kwargs)
        try:
            if made is None:
                made = _compiled(function)
            return made(*args, **kwargs)
        except Exception as why:  # noqa: BLE001 - whatever is wrong with the function itself shows below
            give_up(why)
            return function(*args, **kwargs)

    return call


def pieces(start: int, stop: int, size: int = ROWS_AT_ONCE) -> Iterator[slice]:
    """The rows from start to stop in equal pieces of at most `size`, so that one compiled piece serves for all."""
    rows = stop - start
    equal = max((n for n in range(1, size + 1) if rows % n == 0), default=1)
    step = equal if 2 * equal > size else size
    for begin in range(start, stop, step):
        yield slice(begin, min(begin + step, stop))


def _compiled(function: Callable[P, R]) -> Any:
    # Nothing is kept but compiled code: torch's other caches are pickles, which are never loaded here.
    os.environ.setdefault("TORCH_WARM_POOL", "0")  # compilers run beside a thread; no processes of Python's are needed
    import torch._functorch.config
    import torch._inductor.config

    torch._inductor.config.fx_graph_cache = False
    torch._functorch.config.enable_autograd_cache = False
    return torch.compile(function, fullgraph=True, dynamic=False)
