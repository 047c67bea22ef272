"""`python -m gpubench_tui.tui.cli` is the `gpubench-tui` command."""

import sys

from .entry import main

sys.exit(main())
