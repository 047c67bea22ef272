"""A config file may say anything: the app gets its settings, and a sentence for each mistake."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from gpubench_tui.tui.app import GpubenchApp
from gpubench_tui.tui.config import THEMES, Config, read_config
from gpubench_tui.tui.keymap import check_keys, declared_bindings
from hypothesis import strategies as st

from .hostile import toml_texts, toml_values
from .rounds import fuzz

pytestmark = pytest.mark.slow

KNOWN = declared_bindings(GpubenchApp)
KEYS = (
    "x",
    "ctrl+i",
    "ctrl+c",
    "f13",
    "question_mark",
    "?",
    "x,y",
    ",",
    "+",
    "ctrl+",
    "CTRL+X",
    "enter,enter",
)
SENTENCE = 1200
"""Characters of a sentence at most."""

settings = st.dictionaries(st.sampled_from(Config._fields) | toml_texts, toml_values, max_size=6)
key_tables = st.dictionaries(
    st.sampled_from(sorted(KNOWN)) | toml_texts, st.sampled_from(KEYS) | toml_texts, max_size=8
)


def check_config(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.toml")
        path.write_bytes(content)
        config = read_config(path)
    assert config.theme in (None, *THEMES)
    valid, problems = check_keys(config.keys, KNOWN)
    assert set(valid) <= set(KNOWN)
    assert all(0 < len(problem) < SENTENCE for problem in (*config.problems, *problems))


@fuzz(100, content=st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_a_config(content: bytes) -> None:
    check_config(content)


@fuzz(100, table=settings, keys=key_tables)
def test_any_settings_are_a_config(table: dict[str, Any], keys: dict[str, str]) -> None:
    check_config(tomli_w.dumps({**table, "keys": keys} if keys else table).encode())
