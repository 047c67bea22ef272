"""A session process whose ranks run the workers of ranks.py: `python session.py FOLDER`."""

import sys

from gpubench_tui.engine.conductor.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "ranks:work"))
