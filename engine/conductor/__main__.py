"""`python -m gpubench_tui.engine.conductor FOLDER`: the session process."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import msgspec

from ..record.shelf import SessionFolder
from ..training.process import redirect_output
from .conductor import WORKER, conduct


def main(path: str, worker: str = WORKER) -> int:
    """Execute the session in that folder and return the exit status; what goes wrong is one sentence."""
    folder = SessionFolder(Path(path).resolve())
    try:
        with folder.hold():
            redirect_output(folder.log)
            logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
            return conduct(folder, worker)
    except (RuntimeError, OSError, msgspec.DecodeError) as error:
        print(f"The session in {folder.path} cannot be run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python -m gpubench_tui.engine.conductor FOLDER", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
