"""`python -m gan_core.worker`: the command line of the training process."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main())
