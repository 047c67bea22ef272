"""The session process: takes a plan, launches its runs one by one and writes the journal."""

from .control import skip, stop
from .start import start_session

__all__ = ["skip", "start_session", "stop"]
