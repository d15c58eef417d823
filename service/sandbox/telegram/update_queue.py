"""The updates of the bot, which one client at a time polls, and the presses of buttons that wait to be answered."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from service.sandbox.options import Options
from service.sandbox.telegram.errors import ApiError, bad_request
from service.sandbox.telegram.reply_markup import read_names
from service.sandbox.telegram.request import BotApiRequest

Update = dict[str, Any]
MAX_QUERY_ANSWER: Final = 200
_MAX_UPDATES: Final = 1_000
_MAX_QUERIES: Final = 1_000
_DEFAULT_LIMIT: Final = 100
_MAX_TIMEOUT: Final = 50
_TERMINATED: Final = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_WEBHOOK: Final = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
_INVALID_QUERY: Final = "query is too old and response timeout expired or query ID is invalid"


@dataclass(slots=True)
class CallbackQuery:
    """A press. `answer` is the text of its answer, once there is one."""

    pressed_at: float
    answer: str | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class UpdateQueue:
    """`clock` are monotonic seconds; it decides which queries are too old. Updates are numbered from a random start."""

    def __init__(self, options: Options, clock: Callable[[], float], random: Random) -> None:
        self._options = options
        self._clock = clock
        self._random = random
        self._next_id = random.randrange(10**8, 9 * 10**8)
        self._updates: deque[Update] = deque(maxlen=_MAX_UPDATES)
        self._allowed: frozenset[str] | None = None
        self._poll: asyncio.Future[bool] | None = None
        self._queries: dict[str, CallbackQuery] = {}

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Queue an update, unless the client does not want this kind."""
        if self._allowed is not None and kind not in self._allowed:
            return
        self._updates.append({"update_id": self._next_id, kind: content})
        self._next_id += 1
        self._end_poll(is_conflict=False)

    def add_query(self) -> tuple[str, CallbackQuery]:
        """A new press, which has an id of its own."""
        query_id = str(self._random.randrange(10**17, 10**18))
        self._queries[query_id] = CallbackQuery(self._clock())
        if len(self._queries) > _MAX_QUERIES:
            del self._queries[next(iter(self._queries))]
        return query_id, self._queries[query_id]

    def query(self, query_id: str) -> CallbackQuery:
        return self._queries[query_id]

    def answer_query(self, request: BotApiRequest) -> bool:
        """A press is answered once, and not after its time."""
        query, text = self._queries.get(request.text("callback_query_id")), request.text("text")
        if query is None or query.answer is not None or self._is_old(query):
            raise bad_request(_INVALID_QUERY)
        if len(text) > MAX_QUERY_ANSWER:
            raise bad_request("MESSAGE_TOO_LONG")
        query.answer = text
        query.answered.set()
        return True

    def _is_old(self, query: CallbackQuery) -> bool:
        return self._clock() - query.pressed_at > self._options.telegram_query_seconds

    async def get_updates(self, request: BotApiRequest) -> list[Update]:
        """The updates from `offset` on; those before it are confirmed. Waits up to `timeout` seconds for the first one.

        An earlier call that still waits gets a conflict.
        """
        if self._options.telegram_webhook:
            raise ApiError(409, _WEBHOOK)
        self._end_poll(is_conflict=True)
        allowed = read_names(request.text("allowed_updates"))
        self._allowed = self._allowed if allowed is None else allowed or None
        self._confirm(request.integer("offset") or 0)
        seconds = min(max(request.integer("timeout") or 0, 0), _MAX_TIMEOUT)
        if not self._updates and seconds:
            await self._wait(seconds)
        limit = request.integer("limit") or _DEFAULT_LIMIT
        return list(self._updates)[: min(max(limit, 1), _DEFAULT_LIMIT)]

    def _confirm(self, offset: int) -> None:
        """A negative offset keeps so many of the last ones."""
        while self._updates and (
            len(self._updates) > -offset if offset < 0 else self._updates[0]["update_id"] < offset
        ):
            self._updates.popleft()

    async def _wait(self, seconds: int) -> None:
        poll = self._poll = asyncio.get_running_loop().create_future()
        try:
            is_conflict = await asyncio.wait_for(poll, seconds)
        except TimeoutError:
            return
        finally:
            if self._poll is poll:
                self._poll = None
        if is_conflict:
            raise ApiError(409, _TERMINATED)

    def _end_poll(self, *, is_conflict: bool) -> None:
        poll, self._poll = self._poll, None
        if poll is not None and not poll.done():
            poll.set_result(is_conflict)
