"""`python -m gan_core.remote`: a stable name for the command line and the functions of `gan_core.runs.remote`."""

import sys

from .runs.remote import Mirror, RemoteError, find, keep, pull, push
from .runs.remote.__main__ import main
from .surroundings import prepare

__all__ = ["Mirror", "RemoteError", "find", "keep", "main", "pull", "push"]

if __name__ == "__main__":
    prepare()
    sys.exit(main())
