"""Bars and curves of plain characters, for terminals and pages without graphics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

WIDTH, HEIGHT = 60, 11


def ascii_bar(value: float, most: float, width: int = 30) -> str:
    """Draw a bar whose length is to `width` as the value is to `most`."""
    return "#" * round(width * value / most) if most > 0 else ""


def stacked_bar(shares: Mapping[str, float], width: int = WIDTH) -> str:
    """Draw one bar of several parts, each with its character; shares of 1, in order.

    Each part ends at the rounded sum of the shares up to it, so that rounding errors do not add up.
    """
    drawn, total = "", 0.0
    for character, share in shares.items():
        total += max(0.0, share)
        drawn += character * (min(width, round(width * total)) - len(drawn))
    return drawn


def ascii_plot(
    xs: Sequence[float], curves: Mapping[str, Sequence[float | None]], shown: Callable[[float], str]
) -> list[str]:
    """Draw curves over the same xs (at least two), each with its character, later ones on top.

    `shown` writes the values of the y axis. None leaves a gap. Returns no lines if nothing can be drawn.
    """
    values = [y for ys in curves.values() for y in ys if y is not None and math.isfinite(y)]
    if len(xs) < 2 or not values:
        return []
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    rows = [[" "] * WIDTH for _ in range(HEIGHT)]
    for character, ys in curves.items():
        for column, y in enumerate(_columns(xs, ys)):
            if y is not None and math.isfinite(y):
                rows[HEIGHT - 1 - round((HEIGHT - 1) * (y - low) / span)][column] = character
    labels = {0: shown(high), HEIGHT // 2: shown(low + span / 2), HEIGHT - 1: shown(low)}
    margin = max(map(len, labels.values()))
    lines = [f"{labels.get(i, ''):>{margin}} |{''.join(row)}".rstrip() for i, row in enumerate(rows)]
    first, last = f"{xs[0]:g}", f"{xs[-1]:g}"
    axis = " " * margin + " +" + "-" * WIDTH
    return [*lines, axis, " " * (margin + 2) + first + last.rjust(WIDTH - len(first))]


def _columns(xs: Sequence[float], ys: Sequence[float | None]) -> list[float | None]:
    """Return a value for each column, interpolated between its neighbouring points; None beside a gap."""
    columns: list[float | None] = []
    right = 1
    for column in range(WIDTH):
        x = xs[0] + (xs[-1] - xs[0]) * column / (WIDTH - 1)
        while right < len(xs) - 1 and xs[right] < x:
            right += 1
        a, b = ys[right - 1], ys[right]
        if a is None or b is None or xs[right] == xs[right - 1]:
            columns.append(None)
        else:
            share = min(1.0, max(0.0, (x - xs[right - 1]) / (xs[right] - xs[right - 1])))
            columns.append(a + share * (b - a))
    return columns
