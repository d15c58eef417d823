"""The id of a review: 20 characters that look like Wildberries', and hold its number, so that it is found without an index."""

import base64
import binascii
from random import Random
from typing import Final

_SPACE: Final = 1 << 32
_SCATTER: Final = 2_654_435_761  # odd, and so has an inverse: neighbours get ids that look nothing alike
_GATHER: Final = pow(_SCATTER, -1, _SPACE)
_LENGTH: Final = 20


def id_of(random: Random, number: int) -> str:
    hidden = (number * _SCATTER % _SPACE).to_bytes(4, "big")
    return base64.urlsafe_b64encode(hidden + random.randbytes(11)).decode()


def number_of(review_id: str) -> int | None:
    """The number of the only review that can have this id; None if none can."""
    if len(review_id) != _LENGTH:
        return None
    try:
        raw = base64.b64decode(review_id.encode("ascii"), b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return int.from_bytes(raw[:4], "big") * _GATHER % _SPACE
