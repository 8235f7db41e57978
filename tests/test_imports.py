"""If these fail, `wmplay --help` and the dashboard become slow to open, or die with whatever torch or pygame does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

HEAVY = ("torch", "pygame", "gymnasium")


def _modules_after(code: str) -> set[str]:
    """Top-level modules present after running `code` in a fresh interpreter."""
    script = f"{code}\nimport sys, json; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_imports_nothing_heavy() -> None:
    loaded = _modules_after("import wmplay.cli")
    assert not loaded & {*HEAVY, "textual", "matplotlib", "numpy"}


def test_dashboard_imports_nothing_heavy() -> None:
    loaded = _modules_after(
        "import pkgutil, importlib, wmplay.tui\n"
        "for m in pkgutil.walk_packages(wmplay.tui.__path__, 'wmplay.tui.'): importlib.import_module(m.name)"
    )
    assert "textual" in loaded
    assert not loaded & set(HEAVY)


def test_help_costs_under_half_a_second_of_cpu() -> None:
    """The best of three: other work on the machine can only add to it."""

    def cost() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "wmplay", "--help"], check=True, capture_output=True)
        after = os.times()
        return after.children_user - before.children_user + after.children_system - before.children_system

    assert min(cost() for _ in range(3)) < 0.5
