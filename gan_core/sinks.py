"""`python -m gan_core.sinks RUN NAME`: a stable name for the command line of `gan_core.integrations`."""

import sys

from .integrations.processes import main
from .surroundings import prepare

__all__ = ["main"]

if __name__ == "__main__":
    prepare()
    sys.exit(main())
