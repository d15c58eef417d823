"""What the console says of the service: that it talks to a sandbox, and what is not configured."""

from collections.abc import Sequence
from typing import Final

from service.console.unconfigured import unconfigured
from service.settings import Settings
from telemetry.console import Notice

_SANDBOX: Final = "Sandbox: Wildberries, Ozon, OpenAI and Telegram are simulated. No request leaves this machine."


def notices(settings: Settings) -> Sequence[Notice]:
    found = [Notice(f"{service}: {todo}.", "info", "NOT SET") for service, todo in unconfigured(settings).items()]
    if not settings.sandbox:
        return found
    phone = Notice(
        _SANDBOX,
        "warning",
        link=f"{settings.sandbox_url}/phone",
        link_text="Open the simulated phone",
        is_banner=True,
    )
    return [phone, *found]
