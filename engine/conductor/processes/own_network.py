"""A network of the ranks' own: no other user of the machine can connect to their sockets. Linux only.

Gloo's sockets on loopback have no secret: whoever connects first is taken for a rank. In a network namespace
there is nobody else, and no way out either, so runs that may need the network are left where they are.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import MutableMapping
from pathlib import Path

from ...plan.plan import Plan
from ...plan.workload.models import own_function
from ...plan.workload.trainings import own_training

VARIABLE = "GPUBENCH_TUI_OWN_NETWORK"
"""Environment variable that asks the fork server for a network of its own."""
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # from <linux/sched.h>
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40  # from <linux/sockios.h> and <linux/if.h>


def ask_for_own_network(plan: Plan, environment: MutableMapping[str, str]) -> None:
    """Ask for it, in the environment of the fork server, if no run of the plan may need another network.

    GPUs may be reached over it, CIFAR-10 may have to be downloaded, and a user's own file may do anything.
    """
    workloads = [workload for spec in plan.to_run for workload in spec.workloads]
    devices = [device for spec in plan.to_run for device in spec.devices]
    alone = all(device.kind == "cpu" for device in devices) and all(
        workload.data in ("synthetic", "folder")
        and own_function(workload.model) is None
        and own_training(workload.training) is None
        for workload in workloads
    )
    environment[VARIABLE] = "1" if alone else ""


def enter_own_network() -> bool:
    """Move this process and the children it will have to a network of their own; False if that is impossible.

    It must have a single thread. It stays the same user, but cannot become another any more.
    """
    if sys.platform != "linux":
        return False
    # Once it has moved there is no way back: a child finds out whether all of it works.
    child = os.fork()
    if not child:
        try:
            _enter()
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()
        except BaseException:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        return False
    _enter()
    return True


def _enter() -> None:
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET | (CLONE_NEWUSER if user else 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, up)
