"""The dashboard's colours: one calm dark theme and its light sister."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="wmplay",
    primary="#7aa2c9",
    secondary="#a394c9",
    accent="#e2b56b",
    foreground="#d3d8e2",
    background="#10141b",
    surface="#151a23",
    panel="#1c2330",
    success="#86b98a",
    warning="#e2b56b",
    error="#dd7f7f",
    dark=True,
    variables={
        "foreground-muted": "#7d8798",
        "border": "#2b3443",
        "border-blurred": "#2b3443",
        "footer-background": "#151a23",
        "footer-key-foreground": "#e2b56b",
        "footer-description-foreground": "#9aa3b2",
        "block-cursor-background": "#2a3b52",
        "block-cursor-foreground": "#eef2f8",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#1f2836",
        "block-cursor-blurred-foreground": "#d3d8e2",
        "input-selection-background": "#7aa2c9 35%",
    },
)
LIGHT = Theme(
    name="wmplay-light",
    primary="#2f6690",
    secondary="#6b5b95",
    accent="#a36a00",
    foreground="#252b36",
    background="#f5f4f0",
    surface="#eeece6",
    panel="#e4e1d9",
    success="#3d7a45",
    warning="#a36a00",
    error="#b23b3b",
    dark=False,
    variables={
        "foreground-muted": "#6d7480",
        "border": "#cbc7bc",
        "border-blurred": "#cbc7bc",
        "footer-background": "#eeece6",
        "footer-key-foreground": "#a36a00",
        "footer-description-foreground": "#5a616d",
        "block-cursor-background": "#c9d9e8",
        "block-cursor-foreground": "#111722",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#dfe3e6",
        "block-cursor-blurred-foreground": "#252b36",
    },
)
