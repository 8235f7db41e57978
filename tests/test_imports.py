"""If these fail, `wmplay --help` and the dashboard become slow to open, or die with whatever torch or pygame does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "pygame", "gymnasium")


def _modules_after(code: str) -> set[str]:
    """Top-level modules present after running `code` in a fresh interpreter."""
    script = f"{code}\nimport sys, json; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("command", ["--help", "slots", "jobs", "games"])
def test_a_command_that_only_answers_loads_nothing_heavy(command: str, home: Path) -> None:
    """What it costs in seconds is measured by `wmplay bench start`."""
    run = f"import runpy, sys; sys.argv = ['wmplay', {command!r}]\n"
    loaded = _modules_after(f"{run}try: runpy.run_module('wmplay', run_name='__main__')\nexcept SystemExit: pass")
    assert "typer" in loaded
    assert not loaded & {*HEAVY, "textual", "matplotlib", "numpy", "PIL", "psutil"}


def test_dashboard_imports_nothing_heavy() -> None:
    loaded = _modules_after(
        "import pkgutil, importlib, wmplay.tui\n"
        "for m in pkgutil.walk_packages(wmplay.tui.__path__, 'wmplay.tui.'): importlib.import_module(m.name)"
    )
    assert "textual" in loaded
    assert not loaded & set(HEAVY)
