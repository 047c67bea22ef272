"""The limits that a container or batch system puts on this process: Linux control groups, v1 and v2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return the CPU time this process may use, in cores (2.0 for `docker run --cpus=2`); None: no limit."""
    pairs = [(_read(folder / "cpu.max") or "max").split() for folder in _folders(root, "")]
    pairs += [
        [_read(folder / "cpu.cfs_quota_us") or "-1", _read(folder / "cpu.cfs_period_us") or "0"]
        for folder in _folders(root, "cpu")
    ]
    # Unlimited is written as "max 100000" by version 2 and as "-1" by version 1.
    limits = [(int(pair[0]), int(pair[1])) for pair in pairs if len(pair) == 2 and pair[0] != "max"]
    return min((quota / period for quota, period in limits if quota > 0 and period > 0), default=None)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the bytes of memory that this process and its group may use; None where there is no limit.

    Version 1 writes no limit as a number larger than any memory.
    """
    limits = [_read(folder / "memory.max") for folder in _folders(root, "")]
    limits += [_read(folder / "memory.limit_in_bytes") for folder in _folders(root, "memory")]
    return min((int(limit) for limit in limits if limit and limit != "max"), default=None)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's group and its ancestors, under a controller ("" for version 2).

    A limit of an ancestor holds too. Inside a container the path may be one of the host that does not exist
    in the container: what is mounted at the top is then the container's own group.
    """
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        number, controllers, path = line.split(":", 2)
        if controller not in controllers.split(",") or (controller == "" and number != "0"):
            continue
        for mount in _mounts(root / "sys/fs/cgroup", controllers):
            folder = mount / path.strip("/")
            while folder != mount and mount in folder.parents:
                yield folder
                folder = folder.parent
            yield mount


def _mounts(top: Path, controllers: str) -> Iterator[Path]:
    names = [controllers, *controllers.split(",")] if controllers else ["unified", ""]
    for name in dict.fromkeys(names):
        if (top / name).is_dir():
            yield top / name
            return


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
