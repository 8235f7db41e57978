"""What a saved slot says of itself, and whether it can be opened."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wmplay.core import paths
from wmplay.core.errors import WmplayError
from wmplay.core.slot_check import quick_problem
from wmplay.core.slot_store import read_slot_json, reading, recover
from wmplay.core.spaces import ActionSpec, ObservationSpec


@dataclass
class SlotInfo:
    """What a slot says of itself; `meta` is the whole of its slot.json.

    ok: it can be opened (`why` says why not). shipped: it came with wmplay and is read-only here: copy it to train it.
    """

    name: str
    path: Path
    game: str = ""
    game_params: dict[str, Any] = field(default_factory=dict)
    family: str = ""
    preset: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    created: str = ""
    updated: str = ""
    size_bytes: int = 0
    ok: bool = True
    why: str | None = None
    lineage: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    observation: dict[str, Any] = field(default_factory=dict)
    action: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    shipped: bool = False
    command: list[str] = field(default_factory=list)
    agent: dict[str, Any] | None = None
    meta: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def observation_spec(self) -> ObservationSpec:
        return ObservationSpec.from_json(self.observation)

    @property
    def action_spec(self) -> ActionSpec:
        return ActionSpec.from_json(self.action)

    @property
    def trained(self) -> bool:
        """Whether there are weights to dream with."""
        return "world.safetensors" in self.files

    @property
    def continued(self) -> list[dict[str, Any]]:
        """After how many `steps` which `command` trained it further, earliest first."""
        found = self.lineage.get("continued")
        whole = {"steps": int, "command": list}
        entries = [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []
        return [e for e in entries if all(isinstance(e.get(key), kind) for key, kind in whole.items())]

    def to_json(self) -> dict[str, Any]:
        """The row of `wmplay slots --json`."""
        row = {key: value for key, value in asdict(self).items() if key != "meta"}
        row["path"] = str(self.path)
        if self.ok:
            del row["why"]
        return row


def read_slot(path: Path, again: bool = True) -> SlotInfo:
    """The slot in this folder, an interrupted save finished first; never raises: what is wrong is in `ok` and `why`."""
    info = SlotInfo(path.name, path, size_bytes=_size(path), shipped=_is_shipped(path))
    try:
        recover(path)
        meta = read_slot_json(path)
    except WmplayError as why:
        info.ok, info.why = False, str(why)
        return info
    info.meta = meta
    for key in ("game", "game_params", "family", "preset", "config", "steps", "created", "updated", "lineage",
                "metrics", "observation", "action", "files", "command", "agent"):  # fmt: skip
        value = meta.get(key)
        default = getattr(info, key)
        if value is not None and (default is None or isinstance(value, type(default))):
            setattr(info, key, value)
    info.why = quick_problem(path, meta, spare=False)
    if info.why is not None and again:
        # Perhaps seen in the middle of a save: look once more with saves held off.
        try:
            with reading(path):
                return read_slot(path, again=False)
        except WmplayError as why:
            info.why = str(why)
    info.ok = info.why is None
    return info


def _is_shipped(path: Path) -> bool:
    return path.parent == paths.shipped() and paths.shipped() != paths.home()


def _size(path: Path) -> int:
    try:
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    except OSError:  # files come and go while a run writes
        return 0
