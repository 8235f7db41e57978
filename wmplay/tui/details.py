"""Reads what belongs to the selection alone: curves, the preview strip, the moving picture, the report card."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from wmplay.core.runs import RUN_FILE, RunStore
from wmplay.tui.run_watch import file_stamp
from wmplay.tui.snapshot import Clip, Curve, Detail, Subject

BUCKETS = 160  # two to a braille column of a chart 80 cells wide
CURVES = 12
CURVES_S = 1.0  # curves are read at most this often
IDLE_S = 5.0
MINOR = ("learning_rate", "gradient", "frames")  # metrics that help to understand, not to judge
CLIP_FRAMES = 240
KEYS = ("1", "5", "15", "50", "200")


class DetailReader:
    """Keeps one open run store for the selected slot, and re-reads a file only when it has changed."""

    def __init__(self) -> None:
        self._store: RunStore | None = None
        self._source: tuple[str, str | None] = ("", None)
        self._curves: tuple[Curve, ...] = ()
        self._stamp: tuple[int, ...] = ()
        self._read_at = 0.0
        self._files: dict[Path, tuple[tuple[int, int], Any]] = {}

    def read(self, subject: Subject, folder: str) -> Detail:
        """Details of a job or slot whose slot lies in `folder`; a game has none."""
        if subject.kind == "game" or not folder:
            return Detail(subject, ("game",))
        root = Path(folder)
        if len(self._files) > 16:
            self._files.clear()
        self._read_curves(root / "train" / RUN_FILE, subject.key if subject.kind == "job" else None)
        strip = clip = table = None
        if subject.kind == "job":
            strip = self._cached(root / "train" / "preview.npz", read_strip)
        else:
            clip = self._cached(root / "preview.gif", read_clip) or self._cached(root / "thumb.png", read_clip)
            table = self._cached(root / "report" / "report.json", read_report)
        version = (id(strip), self._source, self._stamp, id(clip), id(table))
        return Detail(subject, version, self._curves, strip, clip, table or ())

    def close(self) -> None:
        """Let go of the run store."""
        if self._store is not None:
            self._store.close()
            self._store = None

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

    def _read_curves(self, path: Path, run: str | None) -> None:
        """Read the curves again if the run has logged something, at most once a second."""
        source, now = (str(path), run), time.monotonic()
        if source != self._source:
            self.close()
            self._source, self._curves, self._stamp, self._read_at = source, (), (), 0.0
        if not path.exists() or now - self._read_at < CURVES_S:
            return
        stamp = file_stamp(path)
        if stamp == self._stamp:
            # Nothing new for a while: an open file cannot be deleted on every platform.
            if now - self._read_at > IDLE_S:
                self.close()
            return
        if self._store is None:
            self._store = RunStore(path, run=run)
        self._curves = read_curves(self._store)
        self._stamp, self._read_at = stamp, now


def read_curves(store: RunStore) -> tuple[Curve, ...]:
    """A run's curves, those of the newest phase first, the loss before its parts, what only helps at the end."""
    names = store.curve_names()
    phases = list(dict.fromkeys(phase for phase, _ in names))[::-1]

    def rank(curve: tuple[str, str]) -> tuple[int, int, int]:
        phase, name = curve
        return (name in MINOR, phases.index(phase), 0 if name in ("loss", "fitness", "return") else 1)

    found = []
    for phase, name in sorted(names, key=rank)[:CURVES]:
        points = np.array(store.series([name], BUCKETS, phase)[name], np.float64).reshape(-1, 4)
        if len(points):
            found.append(Curve(name, points[:, 0], points[:, 2], points[:, 3], phase, points[:, 1]))
    return tuple(found)


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
    regimes = report.get("regimes", {}) if isinstance(report, dict) else None
    if not isinstance(regimes, dict) or not all(isinstance(by_key, dict) for by_key in regimes.values()):
        raise ValueError(f"{path.name} is no report card; key e makes a new one")
    keys = [key for key in KEYS if any(key in by_key for by_key in regimes.values())]
    lines: list[tuple[str, ...]] = [("open loop, k =", *keys)]
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
