"""`python -m gan_core.worker`: the command line of the training process."""

import sys

from ..surroundings import prepare

if __name__ == "__main__":
    prepare()  # before torch is imported
    from .main import main

    sys.exit(main())
