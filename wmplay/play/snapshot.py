"""The picture of a Textual screen as a file: SVG as Textual writes it, or PNG painted cell by cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from rich.color import Color
from rich.style import Style
from textual.app import App
from textual.geometry import Region
from textual.widget import Widget

from wmplay.play.fonts import font_path

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 10, 20, 16
FOREGROUND, BACKGROUND = (211, 216, 226), (16, 20, 27)


def save(app: App[Any], path: Path) -> None:
    """Write what the app shows now, as SVG or PNG by the file's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".svg":
        path.write_text(app.export_screenshot(), encoding="utf-8")
    else:
        picture(app).save(path)


def picture(app: App[Any]) -> Image.Image:
    """The screen as an image: every widget's lines painted where it lies, parents before children."""
    size = app.screen.size
    image = Image.new("RGB", (size.width * CELL_WIDTH, size.height * CELL_HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(image)
    name = font_path("DejaVuSansMono")
    font = ImageFont.truetype(name, FONT_SIZE) if name else ImageFont.load_default(FONT_SIZE)
    for widget in [app.screen, *app.screen.walk_children(Widget)]:
        region = widget.region
        if not (widget.display and region.area):
            continue
        for row, strip in enumerate(widget.render_lines(Region(0, 0, region.width, region.height))):
            x = region.x
            for segment in strip:
                for character in segment.text:
                    _cell(draw, x, region.y + row, character, segment.style, font)
                    x += 1
    return image


def _cell(draw: ImageDraw.ImageDraw, column: int, row: int, character: str, style: Style | None, font: Any) -> None:
    front, back = _rgb(style.color if style else None, FOREGROUND), _rgb(style.bgcolor if style else None, BACKGROUND)
    if style and style.reverse:
        front, back = back, front
    left, top = column * CELL_WIDTH, row * CELL_HEIGHT
    right, bottom = left + CELL_WIDTH - 1, top + CELL_HEIGHT - 1
    draw.rectangle((left, top, right, bottom), back)
    eighth = " ▁▂▃▄▅▆▇█".find(character)
    if character == "▀":
        draw.rectangle((left, top, right, top + CELL_HEIGHT // 2 - 1), front)
    elif eighth > 0:
        draw.rectangle((left, bottom + 1 - CELL_HEIGHT * eighth // 8, right, bottom), front)
    elif character.strip():
        draw.text((left, top + CELL_HEIGHT // 2), character, front, font, anchor="lm")


def _rgb(color: Color | None, default: tuple[int, int, int]) -> tuple[int, int, int]:
    if color is None or color.is_default:
        return default
    red, green, blue = color.get_truecolor()
    return red, green, blue
