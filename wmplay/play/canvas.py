"""Drawing on a pygame surface: pictures, HUD, curve, notice and the line of keys, in one calm dark style."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pygame

from wmplay.play.fonts import font_path
from wmplay.play.hud import Hud, Item, Tone, error
from wmplay.play.view import Panel, View

# The dashboard's dark colours.
BACKGROUND, SURFACE, LINE = (16, 20, 27), (24, 30, 41), (43, 52, 67)
TEXT, QUIET, ACCENT, ACCENT_SHADE = (211, 216, 226), (125, 135, 152), (122, 162, 201), (31, 43, 58)
TONES: dict[Tone, tuple[int, int, int]] = {
    "plain": TEXT,
    "quiet": (154, 163, 178),
    "good": (134, 185, 138),
    "warn": (226, 181, 107),
    "alert": (221, 127, 127),
}
MARGIN, SIDE, KEY_LINE, KEY_GAP, TITLE, CURVE, STRIP = 20, 210, 46, 16, 30, 92, 96
# Frames up to this size are drawn with hard pixels at a whole factor; larger pictures are scaled smoothly.
SMALL = 128


def _font(name: str, size: int) -> pygame.font.Font:
    """DejaVu as matplotlib ships it (the same on every machine), else pygame's own."""
    path = font_path(name)
    return pygame.font.Font(path, size) if path else pygame.font.Font(None, round(size * 1.3))


class Canvas:
    """Draws views. Holds the fonts and the texts that were drawn lately."""

    def __init__(self, title: str, keys: Sequence[tuple[str, str]]) -> None:
        self.title = title
        self.keys = list(keys)
        self.picture = pygame.Rect(0, 0, 0, 0)  # where the pictures were drawn last
        self._small = _font("DejaVuSans", 12)
        self._label = _font("DejaVuSans", 13)
        self._value = _font("DejaVuSansMono", 15)
        self._title = _font("DejaVuSans", 14)
        self._bold = _font("DejaVuSans-Bold", 15)
        self._notice = _font("DejaVuSans-Bold", 22)
        self._kept: dict[tuple[int, str, tuple[int, int, int]], pygame.Surface] = {}

    def draw(self, surface: pygame.Surface, view: View, help_shown: bool = False) -> None:
        """Draw everything; the newest frame of each panel as large as it fits."""
        surface.fill(BACKGROUND)
        area = surface.get_rect().inflate(-2 * MARGIN, -2 * MARGIN)
        area.height -= KEY_LINE - MARGIN
        self._key_line(surface, pygame.Rect(0, surface.get_height() - KEY_LINE, surface.get_width(), KEY_LINE))
        if len(view.panels) == 1:
            side = pygame.Rect(area.right - SIDE, area.top, SIDE, area.height)
            area.width -= SIDE + MARGIN
            self._side(surface, side, view.hud)
        else:
            strip = pygame.Rect(area.left, area.bottom - STRIP, area.width, STRIP)
            area.height -= STRIP + MARGIN // 2
            self._strip(surface, strip, view.hud)
        if view.curve_title:
            self._curve(surface, pygame.Rect(area.left, area.bottom - CURVE, area.width, CURVE), view)
            area.height -= CURVE + MARGIN // 2
        self.picture = self._panels(surface, area, view.panels)
        if help_shown:
            self._help(surface, self.picture)
        elif view.notice:
            self._banner(surface, self.picture, view.notice, view.detail)

    def _text(self, font: pygame.font.Font, text: str, color: tuple[int, int, int]) -> pygame.Surface:
        key = (id(font), text, color)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) > 500:
                self._kept.clear()
            found = self._kept[key] = font.render(text, True, color)
        return found

    def _panels(self, surface: pygame.Surface, area: pygame.Rect, panels: Sequence[Panel]) -> pygame.Rect:
        """Draw the pictures side by side; returns the box around them."""
        gap = MARGIN // 2
        width = (area.width - gap * (len(panels) - 1)) // len(panels)
        boxes = []
        for index, panel in enumerate(panels):
            place = pygame.Rect(area.left + index * (width + gap), area.top, width, area.height)
            if panel.title:
                place.top, place.height = place.top + TITLE, place.height - TITLE
            picture = enlarged(panel.frame, place.width, place.height)
            box = picture.get_rect(center=place.center)
            surface.blit(picture, box)
            pygame.draw.rect(surface, LINE, box.inflate(2, 2), 1)
            if panel.title:
                title = self._text(self._title, panel.title, TEXT if index < 2 else QUIET)
                surface.blit(title, title.get_rect(midbottom=(box.centerx, box.top - 8)))
            boxes.append(box)
        return boxes[0].unionall(boxes[1:])

    def _side(self, surface: pygame.Surface, area: pygame.Rect, hud: Hud) -> None:
        y = area.top + 2
        for font, line in zip((self._bold, self._label), self.title.split(" · "), strict=False):
            text = self._text(font, line, TEXT if font is self._bold else QUIET)
            surface.blit(text, (area.left + 2, y), (0, 0, area.width, text.get_height()))
            y += text.get_height() + 4
        y += 8
        for column in hud:
            height = 16 + 24 * len(column)
            pygame.draw.rect(surface, SURFACE, (area.left, y, area.width, height), border_radius=8)
            for row, item in enumerate(column):
                self._item(surface, pygame.Rect(area.left + 14, y + 8 + 24 * row, area.width - 28, 24), item)
            y += height + MARGIN // 2

    def _strip(self, surface: pygame.Surface, area: pygame.Rect, hud: Hud) -> None:
        gap = MARGIN // 2
        width = (area.width - gap * (len(hud) - 1)) // len(hud)
        for index, column in enumerate(hud):
            box = pygame.Rect(area.left + index * (width + gap), area.top, width, area.height)
            pygame.draw.rect(surface, SURFACE, box, border_radius=8)
            for row, item in enumerate(column[:4]):
                self._item(surface, pygame.Rect(box.left + 14, box.top + 6 + 21 * row, box.width - 28, 21), item)

    def _item(self, surface: pygame.Surface, area: pygame.Rect, item: Item) -> None:
        label = self._text(self._label, item.label, TONES["alert"] if item.label.startswith("●") else QUIET)
        value = self._text(self._value, item.value, TONES[item.tone])
        surface.blit(label, label.get_rect(midleft=area.midleft))
        room = area.width - label.get_width() - 8
        if value.get_width() > room:
            value = value.subsurface((0, 0, max(room, 0), value.get_height()))
        surface.blit(value, value.get_rect(midright=area.midright))

    def _key_line(self, surface: pygame.Surface, area: pygame.Rect) -> None:
        pygame.draw.line(surface, LINE, area.topleft, area.topright)
        # Help and quit stand at the right whatever the width; the others come as far as there is room.
        right = area.right - MARGIN
        for cap, does in reversed(self.keys[-2:]):
            right -= self._key_width(cap, does)
            self._key(surface, right, area.centery, cap, does)
            right -= KEY_GAP
        x = MARGIN
        for cap, does in self.keys[:-2]:
            width = self._key_width(cap, does)
            if x + width > right:
                break
            self._key(surface, x, area.centery, cap, does)
            x += width + KEY_GAP

    def _key_width(self, cap: str, does: str) -> int:
        name, meaning = self._text(self._small, cap, TEXT), self._text(self._small, does, QUIET)
        return max(22, name.get_width() + 12) + 6 + meaning.get_width()

    def _key(self, surface: pygame.Surface, x: int, y: int, cap: str, does: str) -> None:
        """Draw a key cap and its meaning."""
        name, meaning = self._text(self._small, cap, TEXT), self._text(self._small, does, QUIET)
        box = pygame.Rect(x, y - 11, max(22, name.get_width() + 12), 22)
        pygame.draw.rect(surface, SURFACE, box, border_radius=5)
        pygame.draw.rect(surface, LINE, box, 1, border_radius=5)
        surface.blit(name, name.get_rect(center=box.center))
        surface.blit(meaning, meaning.get_rect(midleft=(box.right + 6, y)))

    def _banner(self, surface: pygame.Surface, area: pygame.Rect, notice: str, detail: str) -> None:
        big = self._text(self._notice, notice, TEXT)
        if big.get_width() > area.width - 2 * MARGIN:
            big = self._text(self._title, notice, TEXT)
        small = self._text(self._title, detail, TONES["quiet"]) if detail else None
        height = big.get_height() + (small.get_height() + 6 if small else 0) + 24
        width = max(big.get_width(), small.get_width() if small else 0) + 48
        box = pygame.Rect(0, 0, width, height)
        # Low in the picture: what one stopped to look at is mostly in the middle.
        box.midbottom = area.centerx, area.bottom - MARGIN
        _shade(surface, box)
        surface.blit(big, big.get_rect(midtop=(box.centerx, box.top + 12)))
        if small:
            surface.blit(small, small.get_rect(midbottom=(box.centerx, box.bottom - 12)))

    def _help(self, surface: pygame.Surface, area: pygame.Rect) -> None:
        box = pygame.Rect(0, 0, 300, 24 + 30 * len(self.keys))
        box.center = area.center
        box.clamp_ip(surface.get_rect())
        _shade(surface, box)
        for row, (cap, does) in enumerate(self.keys):
            self._key(surface, box.left + 24, box.top + 27 + 30 * row, cap, does)

    def _curve(self, surface: pygame.Surface, area: pygame.Rect, view: View) -> None:
        """A line of values over steps, the newest at the right end of what is filled."""
        pygame.draw.rect(surface, SURFACE, area, border_radius=8)
        values = np.asarray(view.curve, np.float64)
        title = self._text(self._small, view.curve_title, QUIET)
        surface.blit(title, (area.left + 14, area.top + 8))
        inner = pygame.Rect(area.left + 14, area.top + 26, area.width - 28, area.height - 36)
        if len(values) < 2:
            return
        top = max(float(values.max()), 1e-6)
        newest = self._text(self._small, f"{error(float(values[-1]))}   peak {error(top)}", TONES["quiet"])
        surface.blit(newest, newest.get_rect(topright=(area.right - 14, area.top + 8)))
        x = inner.left + np.arange(len(values)) * inner.width / max(len(values) - 1, 100)
        y = inner.bottom - values / top * inner.height
        line = list(zip(x.tolist(), y.tolist(), strict=True))
        pygame.draw.polygon(surface, ACCENT_SHADE, [(line[0][0], inner.bottom), *line, (line[-1][0], inner.bottom)])
        pygame.draw.aalines(surface, ACCENT, False, line)


def enlarged(frame: np.ndarray, width: int, height: int) -> pygame.Surface:
    """A frame uint8 [H, W, 3] as a surface that fits into width x height, its shape kept."""
    rows, columns = frame.shape[:2]
    picture = pygame.image.frombuffer(np.ascontiguousarray(frame).tobytes(), (columns, rows), "RGB")
    scale = max(min(width / columns, height / rows), 1 / max(rows, columns))
    if max(rows, columns) <= SMALL and scale >= 1:
        return pygame.transform.scale_by(picture, int(scale))
    return pygame.transform.smoothscale(picture, (max(1, round(columns * scale)), max(1, round(rows * scale))))


def _shade(surface: pygame.Surface, box: pygame.Rect) -> None:
    veil = pygame.Surface(box.size, pygame.SRCALPHA)
    pygame.draw.rect(veil, (*BACKGROUND, 225), veil.get_rect(), border_radius=10)
    pygame.draw.rect(veil, (*LINE, 255), veil.get_rect(), 1, border_radius=10)
    surface.blit(veil, box)
