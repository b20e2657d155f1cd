"""For processes with this folder on PYTHONPATH every disk is one without `flock`; NO_FLOCK names what it raises."""

import errno
import fcntl
import os


def flock(descriptor, operation):
    raise OSError(getattr(errno, os.environ.get("NO_FLOCK", "ENOLCK")), "No locks available")


fcntl.flock = flock
