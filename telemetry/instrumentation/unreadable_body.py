"""Whether httpx closes the stream of a body since it could not decode it: it raises that outside of the stream.

httpx closes the stream while the error is handled. httpx2 ends its generators first: the error then has just left the frame of
`iter_bytes`, which would otherwise be waiting at one of its `yield`s, or is what `contextlib.aclosing` was told.
"""

import sys
from opcode import opmap
from types import FrameType
from typing import Final

_DECODER: Final = "iter_bytes"
_LEAVING: Final = "__aexit__"  # of `contextlib.aclosing`, which is told the error that ends its block
_PAUSES: Final = frozenset(opmap[name] for name in ("YIELD_VALUE", "RESUME") if name in opmap)
_MAX_DEPTH: Final = 20


class DecodingError(Exception):
    """Stands for that of the library, by whose name it is found, where that cannot be seen."""


def decoding_error(handled: int) -> BaseException | None:
    """The error; None if a reader closes the body.

    Args:
        handled: the id of the exception that was handled when the call began, in a retry: it is of another call.
    """
    error, is_ending = sys.exception(), False
    for _ in range(_MAX_DEPTH):
        if error is None or id(error) == handled:
            break
        if type(error).__name__ == DecodingError.__name__:
            return error
        is_ending = is_ending or isinstance(error, GeneratorExit)
        error = error.__context__
    if is_ending and _has_decoder_failed():
        return DecodingError("The body is not as its content-encoding says.")
    return None


def _has_decoder_failed() -> bool:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # as `inspect.currentframe`
    for _ in range(_MAX_DEPTH):
        if frame is None:
            return False
        if frame.f_code.co_name == _LEAVING:
            return any(type(each).__name__ == DecodingError.__name__ for each in frame.f_locals.get("exc_info", ()))
        if frame.f_code.co_name == _DECODER:
            return frame.f_code.co_code[frame.f_lasti] not in _PAUSES
        frame = frame.f_back
    return False
