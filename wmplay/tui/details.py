"""Reads what belongs to the selection alone: curves, the preview strip, the moving picture, the report card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from wmplay.tui.snapshot import Clip, Curve, Detail, Subject

BUCKETS = 160  # two to a braille column of a chart 80 cells wide
CLIP_FRAMES = 240
KEYS = ("1", "5", "15", "50", "200")


class DetailReader:
    """Keeps one open run store for the selected slot, and re-reads a file only when it has changed."""

    def __init__(self) -> None:
        self._store: Any = None
        self._store_path: Path | None = None
        self._curves: tuple[Curve, ...] = ()
        self._curves_stamp: tuple[Any, ...] = ()
        self._files: dict[Path, tuple[tuple[int, int], Any]] = {}

    def read(self, subject: Subject, folder: str) -> Detail:
        """Details of a job or slot whose slot lies in `folder`; a game has none."""
        if subject.kind == "game" or not folder:
            return Detail(subject, ("game",))
        root = Path(folder)
        if len(self._files) > 16:
            self._files.clear()
        strip = self._cached(root / "train" / "preview.npz", read_strip)
        curves = self._read_curves(root / "train" / "run.sqlite")
        clip = table = None
        if subject.kind == "slot":
            clip = self._cached(root / "preview.gif", read_clip) or self._cached(root / "thumb.png", read_clip)
            table = self._cached(root / "report" / "report.json", read_report)
        version = (id(strip), self._curves_stamp, id(clip), id(table))
        return Detail(subject, version, curves, strip, clip, table or ())

    def close(self) -> None:
        """Let go of the run store."""
        if self._store is not None:
            self._store.close()
        self._store = self._store_path = None

    def _cached(self, path: Path, read: Any) -> Any:
        """What `read(path)` gave, or None without the file; read again when the file is another one."""
        try:
            stat = path.stat()
        except FileNotFoundError:
            self._files.pop(path, None)
            return None
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._files.get(path)
        if known is None or known[0] != stamp:
            known = self._files[path] = (stamp, read(path))
        return known[1]

    def _read_curves(self, path: Path) -> tuple[Curve, ...]:
        from wmplay.core.runs import RunStore

        if path != self._store_path:
            self.close()
            self._curves, self._curves_stamp = (), (str(path),)
        if self._store is None:
            if not path.exists():
                return ()
            self._store, self._store_path = RunStore(path, write=False), path
        return self._curves


def read_strip(path: Path) -> np.ndarray | None:
    """The preview a worker writes: uint8 [3, K, H, W, 3] (real, dream, difference); None if it is something else."""
    with np.load(path, allow_pickle=False) as arrays:
        strip = arrays["strip"]
    return strip if strip.ndim == 5 and strip.shape[0] == 3 and strip.dtype == np.uint8 and strip.shape[1] else None


def read_clip(path: Path) -> Clip | None:
    """A GIF or PNG as frames uint8 [K, H, W, 3]."""
    from PIL import Image, ImageSequence, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            pictures = ImageSequence.Iterator(image)
            frames = [np.asarray(one.convert("RGB")) for _, one in zip(range(CLIP_FRAMES), pictures, strict=False)]
            pause = image.info.get("duration", 100) or 100
    except (UnidentifiedImageError, OSError):
        return None
    return Clip(np.stack(frames), min(15.0, 1000 / pause)) if frames else None


def read_report(path: Path) -> tuple[tuple[str, ...], ...]:
    """The report card as lines of cells, header first: skill by horizon for each regime, and what the game adds."""
    report = json.loads(path.read_text(encoding="utf-8"))
    regimes = report.get("regimes", {})
    keys = [key for key in KEYS if any(key in by_key for by_key in regimes.values())]
    lines: list[tuple[str, ...]] = [("k", *keys)]
    for regime, by_key in regimes.items():
        for figure in ("skill", "exact", "road_iou", "psnr"):
            cells = [_mean(by_key.get(key, {}).get(figure)) for key in keys]
            if any(cells):
                lines.append((f"{regime} {figure.replace('_', ' ')}", *cells))
    return tuple(lines) if len(lines) > 1 else ()


def _mean(figure: Any) -> str:
    """A figure of the card is [mean, low, high]."""
    value = figure[0] if isinstance(figure, list) and figure else figure
    return f"{value:.2f}" if isinstance(value, int | float) else ""
