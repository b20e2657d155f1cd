"""The control groups of this process, by which a container or a batch system limits memory and processor time (Linux only)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def own_groups(controller: str) -> Iterator[tuple[int, Path]]:
    """(version, folder) of each control group above this process that may limit `controller`, the innermost first."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            version, root = 2, CGROUPS
        elif controller in controllers.split(","):
            version, root = 1, next((CGROUPS / name for name in (controller, controllers) if (CGROUPS / name).is_dir()), CGROUPS)
        else:
            continue
        # Inside a container the path is the host's and only the root exists: missing folders hold no limit.
        group = root / path.strip("/")
        for folder in [group, *group.parents]:
            if folder.is_relative_to(root):
                yield version, folder
