"""`python -m service`, and the script `sovani` of the wheel."""

import sys


def main() -> int:
    """Run the command line. Imported here: a worker imports this module, too, and has to answer its parent soon."""
    from service.cli import parser  # noqa: PLC0415  # see above

    return parser.main()


if __name__ == "__main__":
    sys.exit(main())
