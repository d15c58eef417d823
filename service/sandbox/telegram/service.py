"""The sandbox's Telegram: the methods of the Bot API that send messages, and the phone on which they arrive."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from service.sandbox.credentials import TELEGRAM_TOKEN
from service.sandbox.service import Environment
from service.sandbox.telegram import errors
from service.sandbox.telegram.chats import CHATS, STATES, Chat, find
from service.sandbox.telegram.entities import read_caption, read_text
from service.sandbox.telegram.errors import Refused, bad_request
from service.sandbox.telegram.limits import Flood
from service.sandbox.telegram.message_store import Message, Messages
from service.sandbox.telegram.phone import Phone
from service.sandbox.telegram.request import Given, read

Result = dict[str, Any]
_TOKEN: Final = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_VERBS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
BOT: Final[Mapping[str, Any]] = {
    "id": int(TELEGRAM_TOKEN.partition(":")[0]),
    "is_bot": True,
    "first_name": "Alerts",
    "username": "sandbox_alerts_bot",
}
_ABILITIES: Final = {
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_inline_queries": False,
    "can_connect_to_business": False,
    "has_main_web_app": False,
    "has_topics_enabled": False,
}
_NOT_MODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)


class TelegramFake:
    """`clock` is the limits'."""

    def __init__(self, ground: Environment, clock: Callable[[], float] = time.monotonic) -> None:
        if ground.options.telegram_chat not in STATES:
            raise ValueError(f"telegram_chat is none of {', '.join(STATES)}.")
        self._world = ground.world
        self._options = ground.options
        self._flood = Flood(clock)
        self._messages = Messages(ground.journal)
        self._phone = Phone(self._messages)
        self._methods: Mapping[str, Callable[[Given], Result]] = {
            "getme": self._get_me,
            "getchat": self._get_chat,
            "sendmessage": self._send_message,
            "senddocument": self._send_document,
            "editmessagetext": self._edit_message_text,
        }

    def routes(self) -> dict[str, list[BaseRoute]]:
        call = _answered(self._call)
        return {
            "/telegram": [
                Route("/bot{token}/{method}", call, methods=["GET", "POST"]),
                Route("/bot{token}/test/{method}", call, methods=["GET", "POST"]),
                Route("/{path:path}", _answered(_nowhere), methods=_VERBS),
            ],
            "": self._phone.routes(),
        }

    def truth(self, kind: str) -> Iterable[dict[str, Any]]:
        """The newest 1,000 messages, the oldest first."""
        return {"messages": [_told(message) for message in self._messages]}[kind]

    def too_many(self, seconds: int) -> Response:
        return errors.too_many(seconds).response()

    def server_error(self) -> Response:
        return errors.bad_gateway()

    async def _call(self, request: Request) -> Response:
        token: str = request.path_params["token"]
        if not _TOKEN.fullmatch(token):
            raise Refused(404, "Not Found")
        if not secrets.compare_digest(token, TELEGRAM_TOKEN):
            raise Refused(401, "Unauthorized")
        method = self._methods.get(request.path_params["method"].lower())
        if method is None:
            raise Refused(404, "Not Found: method not found")
        return errors.done(method(await read(request)))

    def _get_me(self, _given: Given) -> Result:
        return {**BOT, **_ABILITIES}

    def _get_chat(self, given: Given) -> Result:
        chat = self._chat(given)
        return chat.as_json() | {"accent_color_id": 2, "max_reaction_count": 11}

    def _send_message(self, given: Given) -> Result:
        parsed = read_text(given.text("text"), given.text("parse_mode"), given.text("entities"))
        chat = self._chat(given)
        thread = chat.topic(given.text("message_thread_id"))
        self._may_send(chat)
        return self._sent(Message(self._messages.next_id, chat.id, self._now(), parsed.text, parsed.entities, thread))

    def _send_document(self, given: Given) -> Result:
        parsed = read_caption(given.text("caption"), given.text("parse_mode"), given.text("caption_entities"))
        document = _document(given)
        chat = self._chat(given)
        thread = chat.topic(given.text("message_thread_id"))
        self._may_send(chat)
        message_id = self._messages.next_id
        return self._sent(
            Message(message_id, chat.id, self._now(), parsed.text, parsed.entities, thread, document(message_id))
        )

    def _edit_message_text(self, given: Given) -> Result:
        parsed = read_text(given.text("text"), given.text("parse_mode"), given.text("entities"))
        chat = self._chat(given)
        message = self._messages.get(chat.id, given.number("message_id"))
        if message is None:
            raise bad_request("message to edit not found")
        if message.document is not None:
            raise bad_request("there is no text in the message to edit")
        if (message.text, message.entities) == (parsed.text, parsed.entities):
            raise bad_request(_NOT_MODIFIED)
        self._may_send(chat)
        return _result(self._messages.edit(message.message_id, parsed, self._now()))

    def _chat(self, given: Given) -> Chat:
        return find(given.text("chat_id"), self._options.telegram_chat)

    def _may_send(self, chat: Chat) -> None:
        if self._options.telegram_limits and (wait := self._flood.wait(chat.id)):
            raise errors.too_many(wait)

    def _sent(self, message: Message) -> Result:
        self._messages.add(message)
        return _result(message)

    def _now(self) -> int:
        return int(self._world.now().timestamp())


def _answered(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as refused:
            return refused.response()

    return endpoint


async def _nowhere(_request: Request) -> Response:
    raise Refused(404, "Not Found")


def _document(given: Given) -> Callable[[int], Result]:
    """The document of a call, once its message has a number."""
    file = given.files.get("document")
    if file is None and not given.text("document"):
        raise bad_request("there is no document in the request")
    if file is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    if not file.size:
        raise bad_request("file must be non-empty")
    about = {"file_name": file.name, "mime_type": file.mime_type, "file_size": file.size}
    return lambda number: {**about, "file_id": f"sandbox-{number}", "file_unique_id": str(number)}


def _result(message: Message) -> Result:
    """The message, as the Bot API shows it."""
    text, entities = ("caption", "caption_entities") if message.document else ("text", "entities")
    shown: Result = {
        "message_id": message.message_id,
        "from": dict(BOT),
        "chat": CHATS[message.chat_id].as_json(),
        "date": message.date,
        "edit_date": message.edited_at,
        "message_thread_id": message.thread_id,
        "is_topic_message": message.thread_id is not None,
        "document": message.document,
        text: message.text,
        entities: message.entities,
    }
    return {name: value for name, value in shown.items() if value}


def _told(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "chat_id": message.chat_id,
        "text": message.text,
        "edited": message.edited_at is not None,
        "date": message.date,
    }
