"""Values that nobody would write, for the places where files hold values."""

from __future__ import annotations

import datetime
import math

from hypothesis import strategies as st

ODD_TEXTS = (
    "",
    " ",
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m\u202e\u2028",
    "[bold red]$text[/]",
    "a|b\n<c>\r\n",
    "~nosuchuser/x",
    "../" * 50,
    "/dev/zero",
    "=1+1",
    "e\u0301" * 40,
    "\u65e5\u672c" * 60,
    "x" * 3000,
    "%s{}\\\0",
)
ODD_NUMBERS = (
    *(0, -1, 1, 7, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64, 10**30, 10**400),
    *(0.0, -0.0, 0.5, -1.5, 5e-324, 1e-9, 1e16, 1e300, -1e300, math.nan, math.inf, -math.inf),
)
texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=30)
numbers = st.sampled_from(ODD_NUMBERS) | st.integers() | st.floats()
plain_values = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    plain_values,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)

# TOML knows moments but nothing that is missing, and its writer refuses lone surrogates.
toml_texts = st.sampled_from(ODD_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
moments = st.sampled_from(
    (datetime.date(1, 1, 1), datetime.time(23, 59), datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC))
)
toml_values = st.recursive(
    st.booleans() | numbers | toml_texts | moments,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(toml_texts, inner, max_size=4),
    max_leaves=8,
)
