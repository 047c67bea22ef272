"""The list of an editor's fields: one line each, of which the current one is typed in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from ..data.editor_fields import NOT_SET, EditorField, matches_search
from .lines import Lines
from .row_list import POINTER

BETWEEN = " or "
"""Between the values of workloads that differ."""
LONGEST_LABEL = 26
"""Cells of a key's name at most."""
SEARCH_KEY = "slash"


class WordSuggester(Suggester):
    """Completes the last word of a list."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(case_sensitive=True)
        self._words = words

    async def get_suggestion(self, value: str) -> str | None:
        """Return the text with its last word completed; None if no word begins so."""
        before, last = re.fullmatch(r"(.*?)([^\s,]*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
        word = next((word for word in self._words if last and word.startswith(last)), None)
        return None if word is None else before + word


class FieldInput(Input):
    """Field of the current line; a slash searches unless the key takes any text."""

    takes_slash = True

    def on_key(self, event: events.Key) -> None:
        """Leave the key that begins a search to the screen."""
        if event.key == SEARCH_KEY and not self.takes_slash:
            event.prevent_default()  # as the input's own handler would take it


class FieldList(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Fields in groups under their headings; a search leaves those that match."""

    DEFAULT_CSS = """
    FieldList Lines { text-wrap: nowrap; text-overflow: ellipsis; }
    FieldList #typed { height: 1; }
    FieldList #typed Static { height: 1; width: auto; color: $text-accent; text-style: bold; }
    FieldList #typed.wrong Static { color: $text-error; }
    FieldList #typed FieldInput { width: 1fr; background: $surface; }
    """

    class Typed(Message):
        """The text of a field has changed."""

    class Moved(Message):
        """Another field is the current one."""

    def __init__(self, fields: Sequence[EditorField], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._fields = fields
        self._width = min(LONGEST_LABEL, max(len(field.reference.name) for field in fields)) + 3
        self._rows: list[EditorField | str] = []
        """Headings and fields, top to bottom, a line each."""
        self._at = 0
        self._before: Mapping[str, list[str]] = {}
        self._values: Mapping[str, list[str]] = {}
        self._errors: Mapping[str, str] = {}
        self._texts: dict[str, str] = {}
        """Typed texts, by key."""
        self._search = ""
        self._filled = ""
        """Text that the field got last by itself, and not by typing."""

    def compose(self) -> ComposeResult:
        """Compose the lines above the current field, the field, and the lines below."""
        yield Lines()
        with Horizontal(id="typed"):
            yield Static(markup=False)
            yield FieldInput(compact=True)
        yield Lines()

    def on_mount(self) -> None:
        """Begin at the first field."""
        self._arrange(self._fields[0].key)

    # What it tells

    @property
    def current(self) -> EditorField:
        """Return the current field."""
        row = self._rows[self._at]
        assert isinstance(row, EditorField)
        return row

    @property
    def input(self) -> FieldInput:
        """Return the field that is typed in."""
        return self.query_one(FieldInput)

    @property
    def changes(self) -> dict[str, str]:
        """Return the texts that differ from the preset, by key."""
        return {
            key: text.strip()
            for key, text in self._texts.items()
            if text.strip() and text.strip() != self._original(key)
        }

    def _original(self, key: str) -> str:
        """Return the preset's own value; empty if it has none or several."""
        found = self._before.get(key, [])
        return found[0] if len(found) == 1 else ""

    # What it shows

    def show(
        self, before: Mapping[str, list[str]], values: Mapping[str, list[str]], errors: Mapping[str, str]
    ) -> None:
        """Show the preset's values, those that count after the edits, and mark the fields with errors."""
        self._before, self._values, self._errors = before, values, errors
        key = self.current.key
        # A text just typed may not have been told yet.
        if key not in self._texts and self.input.value == self._filled:
            self._fill(self._effective(key))
        self._draw()

    def _effective(self, key: str) -> str:
        found = self._values.get(key, [])
        return found[0] if len(found) == 1 else ""

    def search(self, text: str) -> None:
        """Show the fields that match the text, at that of the most similar name; all if it is empty."""
        self._search = text
        wanted = "_".join(text.lower().split())
        names = [(field.reference.name, field.key) for field in self._fields]
        alike = [key for name, key in names if wanted and wanted in name]
        alike.sort(key=lambda key: not key.endswith(f".{wanted}"))
        self._arrange(next(iter(alike), self.current.key))

    def go_to(self, key: str) -> None:
        """Make the field of that key the current one."""
        if not any(isinstance(row, EditorField) and row.key == key for row in self._rows):
            self._search = ""
        self._arrange(key)

    def move(self, by: int) -> None:
        """Move that many fields down, or up if negative."""
        fields = [at for at, row in enumerate(self._rows) if isinstance(row, EditorField)]
        self._move_to(fields[max(0, min(fields.index(self._at) + by, len(fields) - 1))])

    def move_group(self, by: int) -> None:
        """Move to the first field of the next group, or of this or the one before if `by` is negative."""
        rows = list(enumerate(self._rows))
        starts = [
            at for at, row in rows[1:] if isinstance(row, EditorField) and isinstance(rows[at - 1][1], str)
        ]
        others = [at for at in starts if (at > self._at if by > 0 else at < self._at)]
        if others:
            self._move_to(others[0 if by > 0 else -1])

    def _arrange(self, key: str) -> None:
        """Lay out the headings and fields that match the search, with that key's as the current one."""
        found = [field for field in self._fields if matches_search(field, self._search)]
        rows: list[EditorField | str] = []
        if not found:
            rows.append(f"Nothing matches {self._search}; all keys:")
        for field in found or self._fields:
            if field.group not in rows:
                rows.append(field.group)
            rows.append(field)
        keys = [row.key if isinstance(row, EditorField) else "" for row in rows]
        self._rows = rows
        first = next(at for at, row in enumerate(rows) if isinstance(row, EditorField))
        self._move_to(keys.index(key) if found and key in keys else first)

    def _move_to(self, at: int) -> None:
        self._at = at
        field, entry = self.current, self.input
        several = self._values.get(field.key, [])
        self._fill(self._texts.get(field.key, self._effective(field.key)))
        entry.placeholder = BETWEEN.join(several) or NOT_SET
        entry.takes_slash = field.reference.kind in ("text", "texts", "table")
        entry.suggester = WordSuggester(field.reference.words) if field.reference.words else None
        entry.cursor_position = len(entry.value)
        self._draw()
        self.call_after_refresh(self._reveal)
        self.post_message(self.Moved())

    def _fill(self, text: str) -> None:
        self._filled = text
        if self.input.value != text:
            with self.prevent(Input.Changed):
                self.input.value = text

    def _draw(self) -> None:
        above, below = self.query(Lines)
        above.show(Content("\n").join(map(self._line, self._rows[: self._at])))
        below.show(Content("\n").join(map(self._line, self._rows[self._at + 1 :])))
        below.display = self._at + 1 < len(self._rows)
        typed = self.query_one("#typed")
        typed.set_class(self.current.key in self._errors, "wrong")
        typed.query_one(Static).update(Content(POINTER + self._label(self.current)))

    def _label(self, field: EditorField) -> str:
        changed = field.key in self._errors or field.key in self.changes
        name = f"{field.reference.name}{'*' if changed else ''}"
        return name.ljust(self._width - 1)[: self._width - 1] + " "

    def _line(self, row: EditorField | str) -> Content:
        if isinstance(row, str):
            return Content.styled(row, "bold $text-accent")
        label, typed = self._label(row), self._texts.get(row.key, "").strip()
        if row.key in self._errors:
            return Content.styled(f" {label}{typed or NOT_SET}", "$text-error")
        if row.key in self.changes:
            return Content.assemble(f" {label}", (typed, "bold $text-success"))
        values = self._values.get(row.key, [])
        shown = BETWEEN.join(values) or NOT_SET
        return Content.assemble(f" {label}", shown if len(values) == 1 else (shown, "$muted"))

    def _reveal(self) -> None:
        """Scroll so that the current field and the lines next to it are visible."""
        height, top = max(1, self.scrollable_content_region.height), round(self.scroll_y)
        headings = sum(isinstance(row, str) for row in self._rows[max(0, self._at - 2) : self._at])
        least, most = self._at + 2 - height, self._at - max(1, headings)
        if not least <= top <= most:
            self.scroll_to(y=max(0, min(max(top, least), most)), animate=False, force=True)

    def on_resize(self) -> None:
        """Keep the current field visible."""
        self.call_after_refresh(self._reveal)

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._texts[self.current.key] = message.value
        self._draw()
        self.post_message(self.Typed())

    def on_click(self, event: events.Click) -> None:
        """Move to the field that is clicked."""
        at = event.screen_y - self.content_region.y + round(self.scroll_y)
        if 0 <= at < len(self._rows) and isinstance(self._rows[at], EditorField):
            self._move_to(at)
            self.input.focus()


def lines_about(field: EditorField, values: Sequence[str], error: str) -> Iterator[Content]:
    """Yield an error, the meaning of a key, the values that it takes, and its default."""
    reference = field.reference
    if error:
        yield Content.styled(error, "$text-error")
    yield Content(reference.meaning)
    takes = reference.takes.replace('"', "")  # quotes only TOML needs
    if reference.words and reference.kind == "text":
        takes = f"{', '.join(reference.words)}, or other {takes}"
    default = {"-": "", "required": ""}.get(reference.default, reference.default)
    if field.can_vary:
        takes += " (several, separated by commas, are compared)"
    parts = [f"Takes: {takes}", f"default: {default}" if default else "", _of_preset(values)]
    yield Content.styled("; ".join(filter(None, parts)) + ".", "$muted")


def _of_preset(values: Sequence[str]) -> str:
    return f"in this preset: {BETWEEN.join(values)}" if values else "not set in this preset"
