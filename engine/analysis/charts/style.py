"""The look of the charts: colours distinguishable by the colour-blind, light and dark, and font sizes."""

from __future__ import annotations

from ..results.phases import Part

SANS = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"

HEADING, SENTENCE, SUBTITLE, TEXT, SMALL = 20, 15, 14, 13, 11
"""Font sizes, in pixels."""

PHASES: dict[Part, tuple[str, str]] = {
    "input": ("#e69f00", "#000000"),
    "transfer": ("#f0e442", "#000000"),
    "forward": ("#56b4e9", "#000000"),
    "backward": ("#0072b2", "#ffffff"),
    "dividing": ("#004d73", "#ffffff"),
    "exposed": ("#d55e00", "#000000"),
    "copying": ("#009e73", "#000000"),
    "optimizer": ("#cc79a7", "#000000"),
    "unaccounted": ("#9aa0a6", "#000000"),
}
"""Colours of each part's bar and of the text on it, from Okabe and Ito (2008)."""

# name: light, dark
_INK = {
    "ink": ("#1f2328", "#e6edf3"),
    "muted": ("#59636e", "#9aa4af"),
}
_FILLS = {
    "page": ("#ffffff", "#0d1117"),
    "track": ("#e8edf2", "#21282f"),
    "bar": ("#2a7ab0", "#5aa9dd"),
    "base": ("#8795a1", "#76838f"),
}
_STROKES = {
    "frame": ("#d1d9e0", "#3d444d"),
    "grid": ("#e3e8ed", "#262d35"),
    "axis": ("#b4bec8", "#4b545e"),
    "whisker": ("#1f2328", "#f0f6fc"),
    "over": ("#ffffff", "#0d1117"),
    "ideal": ("#c2410c", "#ff9b5e"),
}
SERIES = (
    ("#0072b2", "#56b4e9"),
    ("#c2410c", "#ff9b5e"),
    ("#00805c", "#3ecf9f"),
    ("#a0457e", "#e29ac4"),
    ("#7a6000", "#e0c341"),
    ("#3b4754", "#c3ccd5"),
)
"""Colours of the lines of a plot, light and dark, used cyclically."""

_TEXTS = (
    f"text {{ font-family: {SANS}; font-size: {TEXT}px; }}",
    f".heading {{ font-size: {HEADING}px; font-weight: 700; }}",
    f".sentence {{ font-size: {SENTENCE}px; font-weight: 600; }}",
    f".subtitle {{ font-size: {SUBTITLE}px; font-weight: 600; }}",
    f".small {{ font-size: {SMALL}px; }}",
    ".strong { font-weight: 600; }",
    ".frame, .grid, .axis, .whisker, .ideal, .line { fill: none; stroke-width: 1; }",
    ".whisker { stroke-width: 1.5; }",
    ".ideal { stroke-width: 2; }",
    ".line { stroke-width: 2; stroke-linejoin: round; }",
    ".over { paint-order: stroke; stroke-width: 6; stroke-linejoin: round; }",
    ".training { stroke-width: 1.5; stroke-dasharray: 2 3; opacity: 0.8; }",
)


def style() -> str:
    """Return the style sheet, with dark colours for readers whose system is dark."""
    return "\n".join(
        (
            *_TEXTS,
            *(f".{part} {{ fill: {colour}; }}" for part, (colour, _) in PHASES.items()),
            *(f".on-{part} {{ fill: {colour}; }}" for part, (_, colour) in PHASES.items()),
            *_colours(0),
            "@media (prefers-color-scheme: dark) {",
            *_colours(1),
            "}",
        )
    )


def _colours(which: int) -> list[str]:
    fills = [f".{name} {{ fill: {pair[which]}; }}" for name, pair in {**_INK, **_FILLS}.items()]
    strokes = [f".{name} {{ stroke: {pair[which]}; }}" for name, pair in _STROKES.items()]
    for number, pair in enumerate(SERIES):
        strokes.append(f".line-{number} {{ stroke: {pair[which]}; }}")
        fills.append(f".mark-{number} {{ fill: {pair[which]}; }}")
    return fills + strokes
