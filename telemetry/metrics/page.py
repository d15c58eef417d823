"""The page of `/metrics`, in Prometheus' text format or in OpenMetrics."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from telemetry.metrics import exposition
from telemetry.metrics.families import Family
from telemetry.metrics.full_collections import FULL_COLLECTIONS
from telemetry.metrics.negotiation import compress, negotiate_content_type
from telemetry.metrics.switch_interval import short_switch_interval
from telemetry.processes import forks


class MetricsPage(forks.ForkAware):
    """Shows the families that `collect` returns: those of this process, or of all workers of the service."""

    def __init__(self, collect: Callable[[], list[Family]]) -> None:
        self._collect = collect
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._thread = ThreadPoolExecutor(1, "metrics-page")

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Collect in this thread, and write. On an event loop use `respond_in_thread`, which does not block it.

        Args:
            accept: the `Accept` header of the request.

        Returns:
            The page, and its content type.
        """
        content_type = negotiate_content_type(accept)
        with short_switch_interval(), FULL_COLLECTIONS.postponed():
            return exposition.encode(self._collect(), content_type), content_type

    def respond(self, accept: str = "", accept_encoding: str = "") -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a response to a scraper.

        Args:
            accept: the `Accept` headers of the request, joined by commas.
            accept_encoding: likewise.
        """
        page, content_type = self.render(accept)
        body, headers = compress(page, accept_encoding)
        return body, {"Content-Type": content_type, "Cache-Control": "no-store", **headers}

    async def respond_in_thread(self, accept: str = "", accept_encoding: str = "") -> tuple[bytes, dict[str, str]]:
        """`respond` in the page's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.respond, accept, accept_encoding)
