"""Text of strangers: shown, never obeyed."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest
from gpubench_tui.engine.text.encoding import encode_json, json_document
from gpubench_tui.engine.text.plain import (
    cut_at_word,
    cut_in_middle,
    described,
    message_of,
    plain,
    plain_output,
)
from msgspec import Struct

HOSTILE = "\x1b]0;owned\x07 \x9b2J \u202egnp.exe \x00\r \udc9b\ud800 \x7f\u2028"


class Report(Struct, tag="report"):
    texts: dict[str, list[str]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("façade ±3 µs\t→ 日本\nnext", "façade ±3 µs\t→ 日本\nnext"),
        ("\x1b[31mred\x9b0m", r"\x1b[31mred\x9b0m"),
        ("one\r\ntwo\rthree", "one\ntwo\\x0dthree"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("\ud800", r"\ud800"),
        ("abc\u202ecba", r"abc\u202ecba"),
        ("family 👩‍👩‍👧", "family 👩‍👩‍👧"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert plain(shown) == shown


def test_every_text_becomes_one_that_can_be_encoded_and_does_nothing() -> None:
    for code in range(0x110000):
        shown = plain(chr(code))
        assert shown.encode()
        assert shown in "\n\t" or not any(c < " " or "\x7f" <= c <= "\x9f" for c in shown)


def test_what_is_printed_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with plain_output():
        print(HOSTILE)
        print(HOSTILE, file=sys.stderr)
        sys.stderr.writelines([HOSTILE, "\n"])
    assert sys.stdout is out
    assert out.getvalue() == plain(HOSTILE) + "\n"
    assert err.getvalue() == 2 * (plain(HOSTILE) + "\n")


def test_json_takes_any_text_and_is_safe_to_print() -> None:
    value = Report({HOSTILE: [HOSTILE, "plain"]})
    written = HOSTILE.replace("\udc9b", r"\x9b").replace("\ud800", r"\ud800")
    assert json.loads(encode_json(value)) == {"type": "report", "texts": {written: [written, "plain"]}}
    controls = "\x1b\x9b\x7f\u202e"
    document = json_document({"text": controls})
    assert plain(document) == document, "nothing is left to be replaced, which would break the JSON"
    assert json.loads(document) == {"text": controls}


def test_a_long_message_keeps_both_ends() -> None:
    text = "first " + "x" * 5000 + " last"
    assert len(cut_in_middle(text, 100)) == 100
    assert cut_in_middle(text, 100).startswith("first x") and cut_in_middle(text, 100).endswith("x last")
    assert cut_in_middle("short", 100) == "short"


def test_an_exception_is_described_whatever_it_does() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    assert message_of(MuteError()) == "its message cannot be shown"
    assert described(MuteError()) == "MuteError: its message cannot be shown"
    assert described(ValueError("\n one\ntwo")) == "ValueError: one"
    assert described(KeyError()) == "KeyError"


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("needs 4 GPUs", 12, "needs 4 GPUs"),
        ("needs 4 GPUs, 2 present", 12, "needs 4…"),
        ("needs 4 GPUs, 2 present", 14, "needs 4 GPUs…"),
        ("No memory is left. Try a smaller batch, or fewer devices", 28, "No memory is left …"),
        ("out of memory; and that is all there is to say", 20, "out of memory …"),
        ("6,404 samples/s; stopped by the user", 16, "6,404 samples/s…"),
        ("a " + "x" * 30, 12, "a xxxxxxxxx…"),
        ("words and (a bracket) then", 12, "words and…"),
    ],
)
def test_a_text_is_cut_after_a_sentence_or_a_word(text: str, most: int, kept: str) -> None:
    assert cut_at_word(text, most) == kept and len(kept) <= most
