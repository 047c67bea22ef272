"""`python -m gpubench_tui.tui` is the `gpubench-tui` command."""

import sys

from .cli import main

sys.exit(main())
