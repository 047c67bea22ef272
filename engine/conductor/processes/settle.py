"""First import of the fork server: it settles how the server and all its forks end.

Only the fork server imports this module, which forks: its parent stays behind as its guardian.
"""

from __future__ import annotations

import os
import signal

from ...host.process import die_with_parent
from .guardian import leave_guardian
from .remains import list_shared_memory

leave_guardian()
list_shared_memory()
os.register_at_fork(after_in_child=die_with_parent)  # ranks and their loader workers too
signal.pthread_sigmask(signal.SIG_SETMASK, ())
signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a rank may be asked for its stacks before it can answer
