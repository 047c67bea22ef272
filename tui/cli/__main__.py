"""`python -m gpubench_tui.tui.cli` is the `gpubench-tui` command."""

import sys

from .main import main

sys.exit(main())
