"""The two themes: calm colours, each hue with one meaning."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="gpubench-dark",
    primary="#7fb0d6",
    secondary="#9a9fc9",
    accent="#d8b06a",
    foreground="#d5d9de",
    background="#15191d",
    surface="#1a1f24",
    panel="#262d34",
    success="#8cbf8a",
    warning="#dfb45c",
    error="#e07f74",
    dark=True,
    variables={"muted": "#a0a8b0"},
)

LIGHT = Theme(
    name="gpubench-light",
    primary="#1f618f",
    secondary="#5a5f96",
    accent="#8a5a00",
    foreground="#22282e",
    background="#f6f6f3",
    surface="#efefeb",
    panel="#dededa",
    success="#2f7032",
    warning="#8a5f00",
    error="#b0352a",
    dark=False,
    variables={"muted": "#505459"},
)
