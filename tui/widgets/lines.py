"""Lines of text of which only the changed ones are redrawn."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget


class Lines(Widget):
    """Shows text; cheaper than a Static where a little of it changes often."""

    DEFAULT_CSS = "Lines { width: 100%; height: auto; }"

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.content = Content()
        """The text shown."""
        self._lines: list[Content] = []

    def render(self) -> Content:
        """Return the full text."""
        return self.content

    def show(self, content: Content) -> None:
        """Show the content, unless it is already shown."""
        if content.is_same(self.content):
            return
        before, lines = self._lines, content.split("\n", allow_blank=True)
        self.content, self._lines = content, lines
        width, height = self.size
        if not width or content.get_height(self.styles.get_rules(), width) != height:
            self.refresh(layout=True)
        elif not len(lines) == len(before) == height:  # some are wrapped
            self.refresh()
        else:
            pairs = enumerate(zip(before, lines, strict=True))
            self.refresh(*(Region(0, y, width, 1) for y, (old, new) in pairs if not new.is_same(old)))
