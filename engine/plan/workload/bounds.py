"""Numbers with bounds, for the declaration of a preset's keys."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=2**63 - 1)]
CountOrNone = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# Bounded, for TOML can say `inf` and JSON cannot.
Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]
