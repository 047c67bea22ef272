"""A session process whose ranks run the workers of ranks.py: `python session.py FOLDER`.

With JOURNAL_STALLS in the environment its disk takes so many seconds to write the first step; with
UNCOLLECTED it never collects cyclic garbage.
"""

import gc
import os
import sys
import time

from gpubench_tui.engine.conductor.__main__ import main
from gpubench_tui.engine.record.events import Event, Steps
from gpubench_tui.engine.record.journal import Journal

append = Journal.append


def append_slowly(journal: Journal, event: Event) -> None:
    if isinstance(event, Steps):
        time.sleep(float(os.environ.pop("JOURNAL_STALLS", "0")))
    append(journal, event)


if __name__ == "__main__":
    Journal.append = append_slowly
    if os.environ.pop("UNCOLLECTED", ""):
        gc.disable()
    sys.exit(main(sys.argv[1], "ranks:work"))
