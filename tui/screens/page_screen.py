"""A screen of one page that scrolls, and can be copied and saved as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from textual import on
from textual.message import Message

from ..data.exports import save_export
from ..workers import in_thread
from .base import ClosedOnce

PAGE_FRAME = 2
"""Cells at the sides of the page."""


class MarkdownPage(NamedTuple):
    """A page as Markdown, with all that saving it takes."""

    text: str
    what: str
    """Subject of the page, as in `trend`."""
    file_name: str
    beside: Path
    """Session, or folder of sessions, that the page is about."""


class PageScreen(ClosedOnce[None]):
    """Draws a page to its width as soon as there is one; `e` saves it, `c` copies it."""

    class Saved(Message):
        """The page has been saved, or could not be; `sentence` says where or why."""

        def __init__(self, sentence: str, problem: bool = False) -> None:
            super().__init__()
            self.sentence, self.problem = sentence, problem

    @property
    def has_page(self) -> bool:
        """Whether there is a page yet."""
        raise NotImplementedError

    def as_markdown(self) -> MarkdownPage | None:
        """Return the page as Markdown; None until there is one."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw the page to its width."""
        raise NotImplementedError

    def on_resize(self) -> None:
        """Draw to the new width."""
        self.call_after_refresh(self.redraw)

    def width_within(self, scrolling: str) -> int:
        """Return the width of the page in the container that this selector finds, in cells."""
        return max(20, self.query_one(scrolling).scrollable_content_region.width - PAGE_FRAME)

    def action_copy(self) -> None:
        """Copy the page to the terminal's clipboard."""
        if (page := self.as_markdown()) is not None:
            self.app.copy_to_clipboard(page.text)
            self.notify("Copied as Markdown, if the terminal supports it (OSC 52).")

    def action_export(self) -> None:
        """Save the page."""
        if (page := self.as_markdown()) is not None:
            self._save(page)

    @in_thread("saving the page")
    def _save(self, page: MarkdownPage) -> None:
        try:
            path = save_export(page.file_name, page.text, page.beside)
        except OSError as error:
            self.post_message(self.Saved(f"The {page.what} could not be saved: {error}.", problem=True))
        else:
            self.post_message(self.Saved(f"Saved as {path}"))

    @on(Saved)
    def _saved(self, message: Saved) -> None:
        severity = "error" if message.problem else "information"
        self.notify(message.sentence, severity=severity, markup=False)  # type: ignore[arg-type]

    def action_back(self) -> None:
        """Return to the previous screen."""
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Disable copy and export until there is a page."""
        return action not in ("copy", "export") or self.has_page
