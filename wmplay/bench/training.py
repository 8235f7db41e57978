"""Frames a second of every phase of every family, beside a plain float32 eager version that takes turns with it."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from wmplay.bench.plain import plain_step
from wmplay.bench.timing import Narrate, Row, rounded, row, take_turns, waited
from wmplay.bench.workplace import games_of, play_recorded, workshop
from wmplay.core import catalog
from wmplay.core.episodes import Dataset
from wmplay.core.processes import keep_memory
from wmplay.devices import Device
from wmplay.training.source import Source, encode_all
from wmplay.training.workshop import Workshop
from wmplay.training.world_phase import WORTH_COMPILING, WorldPhase
from wmplay.worlds.foreground import Foreground
from wmplay.worlds.protocol import PhaseSpec

# Batches beside the preset's own that issue 4 names figures for: family, phase, settings.
OTHER_BATCHES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("vae_mdn", "vision", ("vision_batch=32",)),
    ("vae_mdn", "vision", ("vision_batch=256",)),
)


def measure_training(
    families: Sequence[str], preset: str, device: Device, seconds: float, say: Narrate, compiled: bool = False
) -> list[Row]:
    """A row for each phase: our frames/s, the plain version's `plain_frames_per_s`, `ratio`, `input_share`, `busy`.

    seconds: for each of the two sides. compiled: whether ours may be compiled, as in a training that lasts. Families
    are taken on their first game; weights are fresh.
    """
    rows = []
    with ExitStack() as open_data:
        recorded: dict[str, Dataset] = {}
        for family in families:
            name = games_of(family)[0]
            if name not in recorded:
                say(f"training: recording some {name}")
                game = catalog.builtin_game(name)
                assert game is not None
                recorded[name] = open_data.enter_context(play_recorded(game))
            rows += _family(family, preset, name, recorded[name], device, seconds, say, compiled)
    return rows


def _family(
    family: str, preset: str, name: str, data: Dataset, device: Device, seconds: float, say: Narrate, compiled: bool
) -> list[Row]:
    game = catalog.builtin_game(name)
    assert game is not None
    rows = []
    variants = [(None, ())] + [(phase, sets) for kind, phase, sets in OTHER_BATCHES if kind == family]
    for only, sets in variants:
        with tempfile.TemporaryDirectory() as where:
            shop = workshop(family, preset, game, data, device, Path(where), sets)
            for index, spec in enumerate(shop.world.phases):
                if (only is None or spec.name == only) and not spec.polish:  # Adam would take another step
                    say(f"training: {family} {spec.name} at batch {spec.batch}")
                    shop.phase_index = index
                    rows.append(_phase(shop, spec, seconds, compiled))
    return rows


def _phase(shop: Workshop, spec: PhaseSpec, seconds: float, compiled: bool) -> Row:
    """The phase as a worker runs it, precision measured and all, by turns with the plain one."""
    threads = torch.get_num_threads()
    device = shop.device
    phase = WorldPhase(spec, None)
    phase.budget = WORTH_COMPILING if compiled else WORTH_COMPILING / 2  # a long phase or a short one
    _settle(shop)
    phase.start(shop)
    arrays = encode_all(shop) if spec.encoded else None
    source = Source(shop.datasets(), spec, 0, device, arrays)
    torch.set_num_threads(threads)
    theirs = plain_step(shop.world, spec, source, device)
    busy = _Busy()

    def ours() -> int:
        keep_memory()
        phase.precision.apply()
        with busy:
            phase.step()
            waited(device.name)
        return spec.batch * spec.length

    def plain() -> int:
        keep_memory(False)  # a worker's memory is set up like ours, a script's is not
        return theirs()

    figures = take_turns({"ours": ours, "plain": plain}, seconds, device.name)
    keep_memory()
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    step = spec.batch * spec.length / statistics.median(figures["ours"])
    ratios = [mine / other for mine, other in zip(figures["ours"], figures["plain"], strict=True)]
    phase.finish()
    return row(
        f"training, {spec.name}", figures["ours"], "frames/s", game=shop.game.short, family=shop.info.family,
        preset=shop.info.preset, batch=spec.batch, device=device.label, length=spec.length,
        plain_frames_per_s=rounded(statistics.median(figures["plain"])),
        ratio=statistics.median(ratios), ratio_low=min(ratios), ratio_high=max(ratios),
        input_share=_seconds(source.next) / step, busy=busy.share / threads,
        precision=phase.precision.label, weights="fresh",
    )  # fmt: skip


def _settle(shop: Workshop) -> None:
    """What is learned from a training's first frames alone is learned: it would slow both sides."""
    for part in shop.world.modules():
        if isinstance(part, Foreground):
            while not part.settled:
                for data in shop.datasets():
                    part.learn(torch.from_numpy(data.read(0, data.rows)).to(shop.device.torch))
                _ = part.weight  # finds out that it has settled


def _seconds(work: Callable[[], object], repeats: int = 9) -> float:
    """Median seconds of a call."""
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


class _Busy:
    """Keeps processor seconds per second over the stretches it encloses."""

    def __init__(self) -> None:
        self._wall = self._cores = 0.0

    def __enter__(self) -> None:
        self._wall -= time.perf_counter()
        self._cores -= time.process_time()

    def __exit__(self, *_error: object) -> None:
        self._wall += time.perf_counter()
        self._cores += time.process_time()

    @property
    def share(self) -> float:
        """Cores kept at work, on average."""
        return self._cores / max(1e-9, self._wall)
