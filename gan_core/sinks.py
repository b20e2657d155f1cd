"""`python -m gan_core.sinks RUN NAME`: the command line of `gan_core.integrations`, at its stable address."""

import sys

from .integrations.follower import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
