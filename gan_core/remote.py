"""`python -m gan_core.remote pull | push | keep`: the command line of `gan_core.runs.remote`, at its stable address."""

import sys

from .runs.remote import Mirror, RemoteError, find, keep, pull, push
from .runs.remote.__main__ import main

__all__ = ["Mirror", "RemoteError", "find", "keep", "main", "pull", "push"]

if __name__ == "__main__":
    sys.exit(main())
