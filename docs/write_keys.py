"""Write the tables of keys in `docs/presets.md` from their declaration in `engine/plan`.

python docs/write_keys.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from gpubench_tui.engine.plan.preset.reference import TableReference, preset_reference
from gpubench_tui.engine.text.markdown import markdown_table

PAGE = Path(__file__).with_name("presets.md")
BEGIN = "<!-- Written by docs/write_keys.py from the declarations in engine/plan: edit those instead. -->"
END = "<!-- End of what docs/write_keys.py writes. -->"


def written(page: str) -> str:
    """Return the page with its tables of keys as the declaration has them now."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} lacks one of the lines {BEGIN} and {END}")
    tables = "\n".join(line for each in preset_reference() for line in _lines(each))
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _lines(described: TableReference) -> Iterator[str]:
    yield f"### `{described.path}`" if described.path else "### Top of the file"
    yield ""
    yield described.meaning
    yield ""
    titles = ("key", "values", "default", "meaning")
    for group, keys in groupby(described.keys, lambda key: key.group):
        if group:
            yield f"#### {group}"
            yield ""
        rows = [(f"`{key.name}`", _code(key.values), _code(key.default), key.meaning) for key in keys]
        yield from markdown_table(titles, rows, left=titles)
        yield ""


def _code(text: str) -> str:
    """Return the text with what stands in a TOML file set as code."""
    if text.startswith("[") or re.fullmatch(r"[\d.e+-]*\d", text):
        return f"`{text}`"
    return re.sub(r'"[^"]*"|\btrue\b|\bfalse\b', r"`\g<0>`", text)


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
