"""Ids of reviews: 20 characters that look like Wildberries' ids and encode the number of the review."""

import base64
import binascii
from random import Random
from typing import Final

_MODULUS: Final = 1 << 32
_MULTIPLIER: Final = 2_654_435_761  # odd, so it has an inverse; neighbouring numbers get very different ids
_INVERSE: Final = pow(_MULTIPLIER, -1, _MODULUS)
_LENGTH: Final = 20


def encode_id(random: Random, number: int) -> str:
    scrambled = (number * _MULTIPLIER % _MODULUS).to_bytes(4, "big")
    return base64.urlsafe_b64encode(scrambled + random.randbytes(11)).decode()


def decode_number(review_id: str) -> int | None:
    """The number of the only review that can have this id; None if no review can."""
    if len(review_id) != _LENGTH:
        return None
    try:
        raw = base64.b64decode(review_id.encode("ascii"), b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return int.from_bytes(raw[:4], "big") * _INVERSE % _MODULUS
