"""Screenshots of the app as self-contained SVG, made from Textual's own export.

The export loads its font from the web, frames every theme in dark grey, and has only the colours that the
terminal shows. The screenshot needs no network, takes the theme's colours, and is a third smaller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape, unescape
from typing import Any

from rich.cells import cell_len
from textual.app import App
from textual.color import Color

from ..engine.text.plain import plain
from .terminal.colors import FewColors
from .terminal.textual_internals import clear_line_caches

MONOSPACE = (
    "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', "
    "'Courier New', monospace"
)
"""Fonts of common operating systems; the SVG fixes the width of each text, so that any fits the cells."""
SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"

_OPENING = re.compile(r"<svg\b([^>]*)>")
_WEB_FONT = re.compile(r"\s*@font-face\s*\{[^}]*\}")
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
# Clip paths of single lines are a third of the file, and no text exceeds its cells.
_LINE_CLIP = re.compile(
    r'\s*<clipPath id="[^"]*-line-\d+">.*?</clipPath>| clip-path="[^"]*-line-\d+\)"', re.DOTALL
)
_TEXT = re.compile(
    r'<text( class="[^"]*") x="([\d.]+)"( y="[\d.]+") textLength="([\d.]+)"([^>]*)>([^<]*)</text>'
)
_BLANKS = re.compile("[ \N{NO-BREAK SPACE}]{2,}")
# Textual draws the window frame dark grey in every theme.
_WINDOW = re.compile(r'<rect fill="#292929" stroke="rgba\(255,255,255,0\.35\)"')
_WINDOW_TITLE = re.compile(r'-title" fill="#c5c8c6"')


def screenshot_svg(app: App[Any], title: str) -> str:
    """Render the current screen of a running app in the colours of its theme, in a window with that title."""
    window, text = (Color.parse(app.theme_variables[name]).hex6 for name in ("surface", "foreground"))
    with _all_colors(app):
        drawn = app.export_screenshot(title=title, simplify=True)
    drawn = _OPENING.sub(
        lambda found: f'<svg role="img" xml:space="preserve"{found[1]}><title>{escape(plain(title))}</title>',
        drawn,
        1,
    )
    for pattern, replacement in (
        (_WEB_FONT, ""),
        (_COMMENT, ""),
        (_LINE_CLIP, ""),
        (_WINDOW, f'<rect fill="{window}" stroke="{text}" stroke-opacity="0.35"'),
        (_WINDOW_TITLE, f'-title" fill="{text}"'),
    ):
        drawn = pattern.sub(replacement, drawn)
    drawn = drawn.replace("&#160;", "\N{NO-BREAK SPACE}").replace(' shape-rendering="crispEdges"', "")
    drawn = _TEXT.sub(_placed_parts, drawn)
    drawn = drawn.replace("<style>", "<style>rect { shape-rendering: crispEdges; }", 1)
    drawn = drawn.replace("font-family: Fira Code, monospace", f"font-family: {MONOSPACE}")
    return drawn.replace("font-family: arial", f"font-family: {SANS}")


def _placed_parts(found: re.Match[str]) -> str:
    """Return a text as one element for each part between blanks, each at its own cell.

    Some renderers drop or narrow blanks, or have no font whose characters are all of one width.
    """
    kind, x, y, length, rest, content = found.groups()
    text = unescape(content).rstrip("\n")
    cells = cell_len(text)
    parts: list[str] = []
    start = 0
    for blank in (*_BLANKS.finditer(text), None):
        end = len(text) if blank is None else blank.start()
        if part := text[start:end]:
            place, wide = cell_len(text[:start]) / cells, cell_len(part) / cells
            at, size = float(x) + float(length) * place, float(length) * wide
            parts.append(f'<text{kind} x="{at:.5g}"{y} textLength="{size:.5g}"{rest}>{escape(part)}</text>')
        start = end if blank is None else blank.end()
    return "".join(parts)


@contextmanager
def _all_colors(app: App[Any]) -> Iterator[None]:
    """Render in all colours of the theme within the context, however few the terminal has."""
    reductions = [each for each in app.get_line_filters() if isinstance(each, FewColors)]
    for reduction in reductions:
        reduction.enabled = False
        clear_line_caches(app)
    try:
        yield
    finally:
        for reduction in reductions:
            reduction.enabled = True
            clear_line_caches(app)
