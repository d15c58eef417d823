"""Names that several modules or classes share, each with its reason. A name that is not here may stand for one thing only."""

from typing import Final

SHARED_NAMES: Final = {
    "__main__": "the entry point of a package that is run by `python -m`",
    "alerts": "one resource, in the room of the routes and in that of the commands",
}
