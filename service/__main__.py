"""`python -m service`, and the script `sovani` of the wheel."""

import sys

if __name__ == "__main__":
    # Not above: a worker imports this module, too, and has to answer its parent as soon as possible.
    from service.cli.parser import main

    sys.exit(main())
