"""Errors of calls out: each says in a sentence what happened, and whether trying again makes sense."""

from datetime import datetime
from typing import ClassVar

from telemetry.redaction import redact


class CallError(Exception):  # the base of what happened
    """A call that did not do what it was for.

    Attributes:
        retryable: the same call may succeed later, with nothing changed by anybody.
        reached: it may have had its effect, so that a call that writes must not be repeated blindly.
        retry_after: the seconds that the service asks to wait, when it says.
    """

    retryable: ClassVar[bool] = False
    reached: bool = False
    retry_after: float | None = None

    def __init__(self, sentence: str = "") -> None:
        """What the other side says may repeat what it was called with."""
        super().__init__(redact(sentence))


class Unreachable(CallError):
    """No answer, not all of it, or a 5xx: refused, cut, timed out."""

    retryable = True

    def __init__(self, sentence: str, *, reached: bool, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.reached = reached
        self.retry_after = retry_after


class TooManyRequests(CallError):
    """429: refused before it had any effect. `retry_after` is None where the service does not say."""

    retryable = True

    def __init__(self, service: str, retry_after: float | None) -> None:
        asked = "asks to wait" if retry_after is None else f"asks to wait {retry_after:g} s"
        super().__init__(f"{service} {asked}: too many requests.")
        self.retry_after = retry_after


class Unreadable(CallError):
    """An answer that is not what it should be: cut JSON, a page of HTML, a field of another type."""

    retryable = True
    reached = True


class Rejected(CallError):
    """4xx: the service will not do this, however often it is asked."""


class Misconfigured(Rejected):
    """What was asked for is not there for anybody: the sentence names the variable to look at."""


class Unauthorized(Rejected):
    """The credentials are wrong, withdrawn or expired; the sentence names the variable to look at."""


class Forbidden(Rejected):
    """The credentials are right, and may not do this."""


class SubscriptionMissing(Forbidden):
    """The seller has not paid for what was asked: the key is right."""


class NotFound(Rejected):
    """What was asked for does not exist, or not any more."""


class RateLimited(CallError):
    """The next call may begin later than this caller can wait. Nothing was sent."""

    retryable = True

    def __init__(self, service: str, until: datetime) -> None:
        super().__init__(f"{service} may be called again at {until:%Y-%m-%d %H:%M:%S} UTC.")
        self.until = until


class EndlessPages(CallError):
    """The service gives the same page again and again, so reading on would never end."""


class NotConfigured(LookupError):
    """Nothing can be asked of it; the message names the variables."""
