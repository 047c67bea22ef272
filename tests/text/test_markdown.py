"""Text of strangers in a Markdown page, as a Markdown parser reads it."""

from __future__ import annotations

import pytest
from gpubench_tui.engine.text.markdown import block, code_span, markdown_table, one_line
from markdown_it import MarkdownIt
from markdown_it.token import Token

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![seen](https://example.org/pixel.png)",
    "[a]: https://example.org",
    "[a][a]",
    "# heading",
    "> quotation",
    "- item",
    "+ item",
    "1. item",
    "7) item",
    "---",
    "***",
    "___",
    "===",
    "```",
    "~~~",
    "*strong* __init__ ~~gone~~",
    r"\[a](b) \<b> \*c*",
    "&lt;b&gt; &#60;b&#62;",
    "a | b",
    "two\nlines\n\n# and a heading",
    "snake_case_name -3.5% <= 1e-3",
]
ALLOWED = {"text", "softbreak", "code_inline"}


def parse(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)


def spoken(tokens: list[Token]) -> str:
    """The text of inline tokens, none of which is anything but text."""
    children = [child for token in tokens if token.type == "inline" for child in token.children or []]
    assert {child.type for child in children} <= ALLOWED, children
    return "".join(child.content for child in children)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("lead", ["", "- ", "# ", "> ", "  - "])
def test_a_line_is_text_and_nothing_else(text: str, lead: str) -> None:
    plain_tokens = [token.type for token in parse(f"{lead}word")]
    tokens = parse(lead + one_line(text))
    assert [token.type for token in tokens] == plain_tokens
    assert spoken(tokens) == " ".join(text.split())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_is_text_and_nothing_else(text: str) -> None:
    tokens = parse("\n".join(markdown_table(("a", "b"), [(text, "1")], left={"a"})))
    assert [token.type for token in tokens].count("td_open") == 2
    assert spoken(tokens).removeprefix("ab").removesuffix("1") == " ".join(text.split())


@pytest.mark.parametrize("text", ["name", "a`b", "``", "`<b>", "x*y*"])
def test_a_name_in_a_code_span(text: str) -> None:
    (inline,) = (token for token in parse(f"Session {code_span(text)}, *preset*.") if token.type == "inline")
    spans = [child.content for child in inline.children or [] if child.type == "code_inline"]
    assert spans == [text]


def test_no_line_ends_a_block() -> None:
    lines = ["```", "<b>", "````js", "\x1b[2J"]
    tokens = parse("\n".join([*block(lines), "", "after"]))
    assert [token.type for token in tokens][:2] == ["fence", "paragraph_open"]
    assert tokens[0].content == "```\n<b>\n````js\n\\x1b[2J\n"
