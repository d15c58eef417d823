"""For each incident channel a check that sends no alert: whether the service accepts the credentials, where it has a call for that."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.incident_channels.apprise_channel import LIMITS, NAME
from telemetry.alerts.incident_channels.configured import ConfiguredChannel
from telemetry.error_text import CheckFailed

_UNPROBED: Final = "configured; the credentials are tried with the first alert"
_LIMITS: Final = {NAME: f"; it {LIMITS}"}


@runtime_checkable
class ProbedChannel(Protocol):
    def probe(self) -> str | None:
        """Returns what the service says; None if it cannot be asked.

        Raises:
            ChannelError: it would not accept messages, or it cannot be reached.
        """


def channel_checks(channels: Sequence[ConfiguredChannel]) -> Mapping[str, Callable[[], str]]:
    """A check by the name of each channel. It returns a sentence for the operator.

    A check raises `CheckFailed` with the channel's own words.
    """
    return {each.name: _check(each) for each in channels}


def _check(configured: ConfiguredChannel) -> Callable[[], str]:
    def check() -> str:
        channel = configured.channel
        try:
            said = channel.probe() if isinstance(channel, ProbedChannel) else None
        except ChannelError as error:
            raise CheckFailed(str(error)) from None
        return f"{said or _UNPROBED}{_LIMITS.get(configured.name, '')}"

    return check
