"""`python -m service`, and the script `sovani` of the wheel."""

import sys

from service.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
