"""Compiled stretches of a loss: the same numbers, only where they are worth it, and no training that cannot run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.helpers import Killed, MemoryLog, kill_after, loop, order, same, weights
from tests.worlds.cases import Case
from wmplay import compiling
from wmplay.compiling import pieces
from wmplay.core import catalog, slots
from wmplay.devices import Precision
from wmplay.training import world_phase
from wmplay.training.loop import Loop
from wmplay.training.workshop import Workshop
from wmplay.training.world_phase import WorldPhase
from wmplay.worlds.protocol import World

compiler = pytest.mark.skipif(not compiling.possible(), reason="there is no C++ compiler")

# Squares and adds, with gradients, as a function that may be compiled; says what came of it.
SMALL = """
import torch
from pathlib import Path
from wmplay import compiling

@compiling.compilable
def f(x, y):
    seen.append(torch.compiler.is_compiling())
    return (x * x + y).sigmoid().sum()

seen = []
compiling.keep_in(Path({folder!r}))
x, y = torch.linspace(-1, 1, 8).requires_grad_(), torch.ones(8)
with torch.no_grad(), compiling.allowed():
    f(x, y)
f(x, y)
assert seen == [False, False], seen  # nothing is learned here, or nobody asked
with compiling.allowed():
    total = f(x, y)
total.backward()
plain = (x.detach() * x.detach() + y).sigmoid()
assert abs(float(total.detach()) - float(plain.sum())) < 1e-5
assert torch.allclose(x.grad, 2 * x.detach() * plain * (1 - plain), atol=1e-6)
print("failed" if compiling.failed() else "compiled", seen[2:])
"""

# Asked to leave two seconds after it began to compile the memory's loss, says whether it did and how long that took.
LEAVE = """
import time
from pathlib import Path
import torch
from wmplay import compiling
from wmplay.worlds.mdn_lstm import MdnLstm

compiling.keep_in(Path({folder!r}))
memory = MdnLstm(32, 3, 64, 5)
real, action = torch.randn(4, 32, 32), torch.randn(4, 32, 3)
valid = torch.ones(4, 32, dtype=torch.bool)
begin = time.monotonic()
try:
    with compiling.unless(lambda: time.monotonic() - begin > 2.0), compiling.allowed():
        hidden, mixture = memory.read_on(real, action, valid, valid.float(), 16)
        mixture.nll(real[:, 1:]).mean().backward()
    print("done")
except compiling.Abandoned:
    print("left", time.monotonic() - begin - 2.0)
"""


def long_run(log: MemoryLog | None = None, minutes: float = 60.0) -> tuple[Path, Loop, WorldPhase]:
    """A slot, a loop that would train it for an hour, and the phase in it that may be compiled."""
    path, settings = order("grid_world", "rssm", "x", steps=None, minutes=minutes, precision="auto", checkpoint_every=0)
    running = loop(path, settings, log)
    return path, running, next(p for p in running.phases if isinstance(p, WorldPhase))


def die_after(running: Loop, units: int) -> None:
    """Run until so many units of the phase are done."""
    kill_after(running, "joint", units)
    with pytest.raises(Killed):
        running.run()


def run(folder: Path, **env: str) -> str:
    script = SMALL.format(folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **env}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("start", "stop"), [(0, 32), (1, 16), (16, 32), (0, 7), (1, 48), (3, 3), (0, 1), (5, 18)])
def test_pieces_are_all_rows_in_order_and_few_lengths(start: int, stop: int) -> None:
    """A row left out would be a row that is never learned; each other length is compiled anew."""
    cut = list(pieces(start, stop))
    assert list(chain.from_iterable(range(part.start, part.stop) for part in cut)) == list(range(start, stop))
    assert all(part.stop - part.start <= compiling.ROWS_AT_ONCE for part in cut)
    assert len({part.stop - part.start for part in cut}) <= 2


@compiler
@pytest.mark.slow
def test_what_is_compiled_is_right_and_leaves_no_pickle(tmp_path: Path) -> None:
    """Code is kept for the next time; torch would keep pickles beside it, and load them."""
    assert run(tmp_path) == "compiled [True]"
    kinds = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
    assert ".so" in kinds
    assert kinds <= {".so", ".cpp", ".h", ".lock", ".py", ".gch"}


def test_the_doctor_tells_what_a_compiler_would_bring(
    home: Path, run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(home / "none"))
    assert "no C++ compiler" in run_cli("doctor").stdout


def test_without_a_compiler_everything_runs_as_it_is_written(tmp_path: Path) -> None:
    """Most laptops have none."""
    assert run(tmp_path, CXX=str(tmp_path / "none")).startswith("failed")


@compiler
@pytest.mark.slow
@pytest.mark.parametrize(("family", "phase"), [("rssm", "joint"), ("vae_mdn", "memory")])
def test_a_compiled_loss_teaches_the_same(family: str, phase: str, home: Path) -> None:
    case = Case(family)
    world = case.make()
    spec = next(spec for spec in world.phases if spec.name == phase)
    assert spec.compiled
    segment = case.data(4, spec.length, seed=1)
    if spec.encoded:
        rows = segment.observation.flatten(0, 1)
        flat = world.encode_after(torch.cat((rows[:1], rows[:-1])), rows)
        segment = segment._replace(observation=flat.unflatten(0, segment.reward.shape))

    def taught() -> dict[str, torch.Tensor]:
        world.train().zero_grad()
        loss, _ = world.loss(segment, phase, torch.Generator().manual_seed(0))
        loss.backward()
        found = {name: p.grad.clone() for name, p in world.named_parameters() if p.grad is not None}
        return {"loss": loss.detach(), **found}

    taught()  # what runs along in training, like the rewards' scale, now knows this segment
    expected = taught()
    compiling.keep_in(home / "compiled")
    with compiling.allowed():
        found = taught()
    assert not compiling.failed()
    assert list((home / "compiled").rglob("*.so"))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_which_phases_may_be_compiled() -> None:
    """One whose loss has no marked parts would be compiled to no end; one that was forgotten, never."""
    made = [(name, spec) for name in (f.name for f in catalog.FAMILIES) for spec in Case(name).make().phases]
    marked = {(name, spec.name) for name, spec in made if spec.compiled}
    assert marked == {("rssm", "joint"), ("vae_mdn", "memory")}


@pytest.mark.parametrize(("minutes", "there", "wanted"), [(5.0, True, False), (60.0, True, True), (60.0, False, False)])
def test_only_long_phases_are_compiled_and_only_by_a_compiler(
    home: Path, monkeypatch: pytest.MonkeyPatch, minutes: float, there: bool, wanted: bool
) -> None:
    """In a run of minutes the compiling would cost more than it brings."""
    monkeypatch.setattr(compiling, "possible", lambda: there)
    monkeypatch.setattr(WorldPhase, "_trial", lambda _self, tried: 1.0 if tried.compiled else 2.0)
    _, running, phase = long_run(minutes=minutes)
    die_after(running, 0)
    assert phase.precision.compiled is wanted


@pytest.mark.parametrize(("near", "wanted"), [(True, True), (False, False)])
def test_what_was_nearly_as_fast_is_compiled_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, near: bool, wanted: bool
) -> None:
    """Compiled, bfloat16 can be far ahead of the float32 that was ahead as it is written; where a machine only imitates
    it, compiling it would be a minute for nothing."""
    compiled: list[Precision] = []

    def trial(_self: WorldPhase, tried: Precision) -> float:
        if tried.compiled:
            compiled.append(tried)
            return 0.2 if tried.bf16 else 0.5
        return (1.2 if near else 3.0) if tried.bf16 else 1.0

    monkeypatch.setattr(compiling, "possible", lambda: True)
    monkeypatch.setattr(WorldPhase, "_trial", trial)
    _, running, phase = long_run()
    die_after(running, 0)
    assert phase.precision.compiled
    assert phase.precision.bf16 is wanted
    assert any(one.bf16 for one in compiled) is wanted


def test_a_phase_that_could_not_be_compiled_is_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be measured as it is written, and by chance seem faster."""
    monkeypatch.setattr(compiling, "possible", lambda: True)
    monkeypatch.setattr(compiling._Trouble, "why", "no headers")
    log = MemoryLog()
    _, running, phase = long_run(log)
    die_after(running, 1)
    assert any("compiling parts of the model" in text for text in log.events)
    assert "the model is not compiled: no headers" in log.events
    assert not phase.precision.compiled


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
@pytest.mark.parametrize("known", [False, True])
def test_nobody_has_to_wait_for_compiling_to_end(home: Path, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """A stop was heard when all was compiled, a minute and a half later; commands before it must not be lost.

    known: that it pays has been measured before, by another run, or by this one before it was resumed.
    """
    monkeypatch.setattr(compiling, "possible", lambda: True)
    monkeypatch.setattr(compiling._Trouble, "why", None)
    if known:
        monkeypatch.setattr(Workshop, "precision_for", lambda *_: Precision(compiled=True))
    log = MemoryLog()
    path, running, phase = long_run(log)
    few, waited, alarm = WorldPhase._few_steps, [], signal.getsignal(signal.SIGALRM)

    def steps(self: WorldPhase, tried: Precision, world: World) -> float:
        if not tried.compiled:
            return few(self, tried, world)
        log.orders += ["save", "stop"]
        begin = time.monotonic()
        try:
            time.sleep(30.0)
        finally:
            waited.append(time.monotonic() - begin)
        return 1e-9

    monkeypatch.setattr(WorldPhase, "_few_steps", steps)
    assert running.run() == "stopped"
    assert len(waited) == 1
    assert waited[0] < 10.0
    assert "saved" in log.events
    assert phase.count == 0
    assert phase.precision.compiled is known
    assert signal.getsignal(signal.SIGALRM) == alarm
    assert slots.read_slot(path).ok


@compiler
@pytest.mark.slow
def test_a_stop_leaves_a_real_compiler(home: Path, tmp_path: Path) -> None:
    """It is Python of torch's that has to be left, which catches much."""
    script = LEAVE.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "left"
    assert float(done.stdout.split()[1]) < 5.0


@compiler
@pytest.mark.slow
def test_a_resumed_compiled_run_equals_an_unbroken_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a user's model would depend on when the power went."""
    monkeypatch.setattr(world_phase, "WORTH_COMPILING", 0.0)
    trial = WorldPhase._trial
    monkeypatch.setattr(WorldPhase, "_trial", lambda self, tried: trial(self, tried) / (100 if tried.compiled else 1))
    whole, settings = order("grid_world", "rssm", "whole", steps=600, checkpoint_every=0.0, precision="auto")
    assert loop(whole, settings).run() == "done"
    broken, settings = order("grid_world", "rssm", "broken", steps=600, checkpoint_every=0.0, precision="auto")
    first = loop(broken, settings)
    kill_after(first, "joint", 5)
    with pytest.raises(Killed):
        first.run()
    phase = next(p for p in first.phases if isinstance(p, WorldPhase))
    assert phase.precision.compiled
    assert loop(broken, settings).run() == "done"
    assert same(weights(whole), weights(broken))


def test_a_run_resumed_without_a_compiler_goes_on_and_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moved to another machine, a training must neither stop nor claim what is not so."""
    monkeypatch.setattr(compiling, "possible", lambda: True)
    monkeypatch.setattr(WorldPhase, "_trial", lambda _self, tried: 1.0 if tried.compiled else 2.0)
    path, running, _ = long_run()
    die_after(running, 0)
    monkeypatch.setattr(compiling._Trouble, "why", "no headers")
    log = MemoryLog()
    again = loop(path, running.shop.settings, log)
    die_after(again, 2)
    phase = next(p for p in again.phases if isinstance(p, WorldPhase))
    assert phase.count == 2
    assert not phase.precision.compiled
    assert any("cannot be here" in text for text in log.events)


def test_a_gradient_that_cannot_be_compiled_is_no_end(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows only when it is taken, when the loss has long come out right."""
    monkeypatch.setattr(compiling, "possible", lambda: True)
    monkeypatch.setattr(compiling._Trouble, "why", None)
    few_steps = WorldPhase._few_steps

    def breaking(phase: WorldPhase, tried: Precision, world: World) -> float:
        if tried.compiled:
            raise RuntimeError("no backward\nand a long story")
        return few_steps(phase, tried, world)

    monkeypatch.setattr(WorldPhase, "_few_steps", breaking)
    log = MemoryLog()
    _, running, phase = long_run(log)
    die_after(running, 1)
    assert not phase.precision.compiled
    assert "the model is not compiled: no backward" in log.events
