"""Commands: slots (list, show, copy, rename, delete, export, import, verify)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wmplay.cli.output import confirm, emit_json, say, table
from wmplay.core.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

slots = typer.Typer(help="Saved world models: list, show, copy, rename, delete, export, import, verify.")


@slots.command("list")
@slots.callback(invoke_without_command=True)
def list_all(context: typer.Context, json: Json = False) -> None:
    """List every slot: yours, and those that ship with wmplay."""
    if context.invoked_subcommand is not None:
        return
    from wmplay.core.slots import list_slots

    found = list_slots()
    if json:
        emit_json([slot.to_json() for slot in found])
        return
    rows = [
        {
            "name": slot.name,
            "game": slot.game,
            "family": slot.family,
            "preset": slot.preset,
            "steps": slot.steps or "",
            "size": size(slot.size_bytes),
            "updated": slot.updated.replace("T", " ")[:16],
            "state": slot.why or ("ships with wmplay" if slot.shipped else "ok" if slot.trained else "not trained yet"),
        }
        for slot in found
    ]
    table(rows, ("name", "game", "family", "preset", "steps", "size", "updated", "state"),
          empty="No slots yet: wmplay demo grid_world makes one.")  # fmt: skip


@slots.command("show")
def show(name: str, json: Json = False) -> None:
    """Everything a slot says of itself."""
    from wmplay.core.slots import find_slot

    found = find_slot(name)
    row = found.to_json()
    if json:
        emit_json(row)
        return
    row["size"] = size(row.pop("size_bytes"))
    row["files"] = ", ".join(sorted(row["files"])) or "none yet"
    commands = [found.command, *(entry["command"] for entry in found.continued)]
    row["command"] = ", then ".join(" ".join(map(str, command)) for command in commands)
    row["lineage"].pop("continued", None)
    for key in ("config", "metrics", "lineage", "game_params"):
        row[key] = ", ".join(f"{k}={_short(v)}" for k, v in row[key].items())
    for spec in ("observation", "action"):
        row[spec] = ", ".join(f"{k}={_short(v)}" for k, v in row[spec].items() if v)
    table([{"field": k, "value": v} for k, v in row.items() if v not in ("", None)], ("field", "value"))


@slots.command("copy")
def copy(name: str, new: str) -> None:
    """Copy a slot under another name, with what it needs to train on."""
    from wmplay.core.slots import copy_slot

    copy_slot(name, new)
    say(f"Copied {name} to {new}.")


@slots.command("rename")
def rename(name: str, new: str) -> None:
    """Give a slot another name."""
    from wmplay.core.slots import rename_slot

    rename_slot(name, new)
    say(f"Renamed {name} to {new}.")


@slots.command("delete")
def delete(name: str, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete a slot with everything in it. Asks first."""
    from wmplay.core.slots import delete_slot, find_slot

    slot = find_slot(name)
    if not yes and not confirm(f"Delete the slot {name} ({size(slot.size_bytes)}) for good?"):
        raise UsageError("Nothing was deleted; add --yes to delete without being asked.")
    delete_slot(name)
    say(f"Deleted {name}.")


@slots.command("export")
def export(
    name: str, file: Annotated[Path | None, typer.Argument(help="The file to write; NAME.wmplay if left out.")] = None
) -> None:
    """Pack a slot into one file that can be imported anywhere."""
    from wmplay.core.slots import export_slot

    written = export_slot(name, file or Path(f"{name}.wmplay"))
    say(f"Exported {name}, {size(written.stat().st_size)}.")
    typer.echo(str(written))


@slots.command("import")
def import_(
    file: Path,
    name: Annotated[str | None, typer.Option(help="Under which name; else the one it was exported as.")] = None,
) -> None:
    """Unpack an exported slot, after checking all of it."""
    from wmplay.core.slots import import_slot

    path = import_slot(file, name)
    say(f"Imported; try it: wmplay dream {path.name}")
    typer.echo(path.name)


@slots.command("verify")
def verify(name: str, json: Json = False) -> None:
    """Check every file of a slot against its checksum. Exit code 0 if all is well, 1 if not."""
    from wmplay.core.slots import verify_slot

    problems = verify_slot(name)
    if json:
        emit_json({"name": name, "ok": not problems, "problems": problems})
    else:
        for problem in problems:
            typer.echo(problem)
        say(f"{name} is whole." if not problems else f"{name} is damaged.")
    if problems:
        raise typer.Exit(1)


def size(count: float) -> str:
    """Bytes for people: 12.3 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def register(app: typer.Typer) -> None:
    """Add these commands to the app."""
    app.add_typer(slots, name="slots")
