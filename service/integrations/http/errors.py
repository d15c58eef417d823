"""Errors of outgoing calls: what happened, and whether a retry makes sense."""

from datetime import datetime
from typing import ClassVar

from telemetry.redaction import redact


class CallError(Exception):  # the base class
    """An outgoing call failed.

    Attributes:
        retryable: the same call may succeed later without any change.
        may_have_applied: the call may have had its effect, so a write must not be repeated blindly.
        retry_after: the seconds that the service asks to wait; None if it does not say.
        source: the name of the list that was read, which begins the message; "" for any other call.
    """

    retryable: ClassVar[bool] = False
    may_have_applied: bool = False
    retry_after: float | None = None
    source: str = ""

    def __init__(self, sentence: str = "") -> None:
        """The service's words may repeat the credentials of the request, so they are redacted."""
        super().__init__(redact(sentence))

    @property
    def sentence(self) -> str:
        return super().__str__()

    def __str__(self) -> str:
        return f"{self.source}: {self.sentence}" if self.source else self.sentence


class Unreachable(CallError):
    """No response, an incomplete one, or a 5xx: connection refused, cut or timed out."""

    retryable = True

    def __init__(self, sentence: str, *, may_have_applied: bool, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.may_have_applied = may_have_applied
        self.retry_after = retry_after


class TooManyRequests(CallError):
    """429: rejected before it had any effect. `retry_after` is None where the service does not say."""

    retryable = True

    def __init__(self, service: str, retry_after: float | None) -> None:
        request = "asks to wait" if retry_after is None else f"asks to wait {retry_after:g} s"
        super().__init__(f"{service} {request}: too many requests.")
        self.retry_after = retry_after


class Unreadable(CallError):
    """The response has an unexpected form: cut JSON, an HTML page, a field of another type."""

    retryable = True
    may_have_applied = True


class Rejected(CallError):
    """4xx: a retry would be rejected as well."""


class Misconfigured(Rejected):
    """The endpoint, model or parameter does not exist. The sentence names the variable to check."""


class Unauthorized(Rejected):
    """The credentials are wrong, revoked or expired. The sentence names the variable to check."""


class Forbidden(Rejected):
    """The credentials are valid, but lack the permission."""


class SubscriptionMissing(Forbidden):
    """The seller's subscription does not include this method. The key is valid."""


class NotFound(Rejected):
    """The requested object does not exist."""


class RateLimited(CallError):
    """The rate limit allows the next call later than this caller can wait (`until`). Nothing was sent."""

    retryable = True

    def __init__(self, service: str, until: datetime) -> None:
        super().__init__(f"{service} may be called again at {until:%Y-%m-%d %H:%M:%S} UTC.")
        self.until = until


class EndlessPages(CallError):
    """The service repeats the same page, so pagination would never end."""


class NotConfigured(LookupError):
    """The service's credentials are not set. The message names the variables."""
