"""Where tensors live and in which precision they are computed: decided here, by name and by measurement."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import psutil
import torch
from torch import Generator

from wmplay import compiling
from wmplay.core.devices import NAMES
from wmplay.core.errors import UsageError

Module = TypeVar("Module", bound=torch.nn.Module)
# Those that took less than so many times the shortest are measured again, once for each number.
_NEAR = (1.5, 1.3, 1.2, 1.1)
# Factors by which the plain precision, and one that leaves processors idle, look faster and slower than they are: there
# must be something to gain from giving up exactness, or the other processors. In two rounds and without the second, a
# noisy machine put `rssm` on one of its two threads: 1.4 times as fast as the plain version, 1.9 on both.
_PLAIN, _IDLE = 0.9, 1.1


@dataclass(frozen=True)
class Device:
    """A torch device under the name people use for it."""

    name: str

    @property
    def torch(self) -> torch.device:
        return torch.device(self.name)

    @property
    def label(self) -> str:
        """For people: `CPU, 2 threads` or the name of the graphics card."""
        if self.name == "cuda":
            return torch.cuda.get_device_name(0)
        return "Apple GPU" if self.name == "mps" else f"CPU, {torch.get_num_threads()} threads"

    def generator(self, seed: int) -> Generator:
        """A seeded random generator that lives on this device."""
        return torch.Generator(self.torch).manual_seed(seed)


def resolve(name: str | None = None) -> Device:
    """The device with this name; `auto` (or None) takes a CUDA card, else Apple's, else the CPU. Raises UsageError."""
    name = name or "auto"
    if name not in NAMES:
        raise UsageError(f"There is no device {name!r}; choose one of {', '.join(NAMES)}.")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return Device(next(n for n in ("cuda", "mps", "cpu") if there[n]))
    if not there[name]:
        raise UsageError(f"This machine has no usable {name} device; use --device auto.")
    return Device(name)


@dataclass(frozen=True)
class Precision:
    """How a device computes: bf16 autocast or not, the memory layout of pictures, float32 matrix products, threads, and
    whether what can be is compiled."""

    bf16: bool = False
    channels_last: bool = False
    matmul: Literal["highest", "high", "medium"] = "highest"
    threads: int = 0
    compiled: bool = False

    @property
    def label(self) -> str:
        parts = ["bf16" if self.bf16 else "float32", "channels last" if self.channels_last else ""]
        parts += [f"matmul {self.matmul}" if self.matmul != "highest" else "", "compiled" if self.compiled else ""]
        return ", ".join(part for part in parts if part)

    def apply(self) -> None:
        """Set what is global in torch. Only for processes of ours (workers, windows), not inside a library call."""
        torch.set_float32_matmul_precision(self.matmul)
        if self.threads:
            torch.set_num_threads(self.threads)
        if self.compiled:
            from wmplay.core import paths

            compiling.keep_in(paths.cache_dir() / "compiled")

    @contextmanager
    def autocast(self, device: Device) -> Iterator[None]:
        """The context in which losses are computed."""
        rounded = torch.autocast(device.name, torch.bfloat16) if self.bf16 else nullcontext()
        with rounded, compiling.allowed(self.compiled):
            yield

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Precision:
        return cls(**data)


def set_layout(module: Module, layout: torch.memory_format) -> Module:
    """Lay out a module's convolution weights in memory as contiguous or channels last; returns the module."""
    return module.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def candidates(device: Device) -> tuple[Precision, ...]:
    """What is worth trying on this device; the first is the plain one."""
    threads = torch.get_num_threads() if device.name == "cpu" else 0
    plain = Precision(threads=threads)
    alone = (Precision(threads=1), Precision(bf16=True, matmul="high", threads=1)) if threads > 1 else ()
    if device.name == "mps":
        return (plain,)
    last = Precision(channels_last=True, matmul="high" if device.name == "cuda" else "highest", threads=threads)
    half = Precision(bf16=True, channels_last=True, matmul="high", threads=threads)
    medium = Precision(channels_last=True, matmul="medium", threads=threads)
    return (plain, last, half) if device.name == "cuda" else (plain, *alone, last, medium, half)


def fastest(
    device: Device,
    key: str,
    seconds: Callable[[Precision], float],
    tried: Sequence[Precision] | Callable[[], Sequence[Precision]] = (),
) -> Precision:
    """The precision with the shortest trial, remembered for this machine under `key`.

    seconds: runs a short piece of the real work under a precision and returns what it took, or infinity where it cannot
    be done. tried: what to choose from, the plain one first, or what tells that where nothing is remembered; else the
    device's `candidates`. Anything but the plain float32 must win by a tenth, since it costs exactness; so must fewer
    threads than others have.
    """
    from filelock import FileLock

    from wmplay.core import atomic, paths

    file = paths.cache_dir() / "precision.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    full = f"{platform.machine()} {device.label} torch {torch.__version__} {key}"
    known = _read(file)
    if full in known:
        return Precision.from_json(known[full])
    options = tuple(tried() if callable(tried) else tried) or candidates(device)
    took = [seconds(option) for option in options]
    # What came near gets another chance: a moment in which others wanted the machine should not decide for all time.
    for factor in _NEAR:
        near = min(took) * factor
        took = [min(old, seconds(option)) if old <= near else old for old, option in zip(took, options, strict=True)]
    most = max(option.threads for option in options)
    looks = [old * (1.0 if option.threads == most else _IDLE) for old, option in zip(took, options, strict=True)]
    looks[0] *= _PLAIN
    best = min(range(len(options)), key=looks.__getitem__)
    if _busy() or math.inf in took:
        return options[best]  # good for this run, but no fact about the machine: what is missing may come
    with FileLock(str(file) + ".lock"):
        atomic.write_json(file, {**_read(file), full: options[best].to_json()})
    return options[best]


def _busy() -> bool:
    """Whether others keep more than half of the cores at work, so that a measurement says little."""
    return psutil.cpu_percent(0.2) > 50.0


def _read(file: Any) -> dict[str, Any]:
    """The cache file as a dict; a missing or spoilt cache is only a reason to measure again."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
