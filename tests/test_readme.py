"""If this fails, the README tells people to type something that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import typer.main

from wmplay.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _commands() -> list[str]:
    """Every line that starts with `wmplay` in a fenced block of the README."""
    blocks = re.findall(r"```(?:sh|console|bash)?\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line.split("  #")[0].strip() for line in lines if line.startswith("wmplay")]


@pytest.mark.parametrize("line", _commands())
def test_readme_command_exists_with_its_options(line: str) -> None:
    command = typer.main.get_command(app)
    for word in line.split()[1:]:
        if hasattr(command, "commands") and word in command.commands:
            command = command.commands[word]
        elif word.startswith("--"):
            options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            assert word.split("=")[0] in options | {"--help"}, f"{line}: no option {word}"
        elif hasattr(command, "commands"):
            assert getattr(command, "invoke_without_command", False), f"{line}: no command {word}"


def test_readme_has_commands() -> None:
    assert len(_commands()) >= 8
    assert isinstance(typer.main.get_command(app), click.Command) or hasattr(typer.main.get_command(app), "commands")


def test_make_targets_in_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", README)) | set(
        re.findall(r"^make ([a-z-]+)", README, flags=re.MULTILINE)
    )
    assert named
    assert named <= targets
