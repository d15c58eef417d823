"""A fake of Telegram's Bot API: its methods, and a page that shows the messages and takes what people write and press."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from service.sandbox.credentials import TELEGRAM_TOKEN
from service.sandbox.fake_service import Environment
from service.sandbox.telegram import errors
from service.sandbox.telegram.chats import STATES, Chat, find_chat
from service.sandbox.telegram.errors import ApiError, bad_request
from service.sandbox.telegram.formatted_text import FormattedText
from service.sandbox.telegram.limits import FloodControl
from service.sandbox.telegram.message_payload import BOT, result_of
from service.sandbox.telegram.message_store import MessageStore, StoredMessage
from service.sandbox.telegram.message_text import read_caption, read_text
from service.sandbox.telegram.phone import Phone
from service.sandbox.telegram.phone_input import PhoneInput
from service.sandbox.telegram.reply_markup import Keyboard, read_commands, read_keyboard, read_reply
from service.sandbox.telegram.request import BotApiRequest, read_request
from service.sandbox.telegram.update_queue import UpdateQueue

Result = dict[str, Any]
_TOKEN: Final = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_HTTP_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_BOT_CAPABILITIES: Final = {
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
    """The fake service. `clock` is used by the rate limits alone; monotonic seconds."""

    def __init__(self, environment: Environment, clock: Callable[[], float] = time.monotonic) -> None:
        if environment.options.telegram_chat not in STATES:
            raise ValueError(f"telegram_chat is none of {', '.join(STATES)}.")
        self._simulation = environment.simulation
        self._options = environment.options
        self._flood_control = FloodControl(clock)
        self._messages = MessageStore(environment.journal)
        self._updates = UpdateQueue(environment.options, clock, environment.simulation.random("telegram updates"))
        self.inbox = PhoneInput(self._messages, self._updates, self._now)
        self._phone = Phone(self._messages, self.inbox)
        self._commands: dict[str, str] = {}
        self._methods: Mapping[str, Callable[[BotApiRequest], Any]] = {
            "getme": self._get_me,
            "getchat": self._get_chat,
            "sendmessage": self._send_message,
            "senddocument": self._send_document,
            "editmessagetext": self._edit_message_text,
            "editmessagereplymarkup": self._edit_message_reply_markup,
            "answercallbackquery": self._updates.answer_query,
            "setmycommands": self._set_my_commands,
            "getmycommands": self._get_my_commands,
        }

    def routes(self) -> dict[str, list[BaseRoute]]:
        call = _with_errors(self._call)
        return {
            "/telegram": [
                Route("/bot{token}/{method}", call, methods=["GET", "POST"]),
                Route("/bot{token}/test/{method}", call, methods=["GET", "POST"]),
                Route("/{path:path}", _with_errors(_not_found), methods=_HTTP_METHODS),
            ],
            "": self._phone.routes(),
        }

    def expected_state(self, kind: str) -> Iterable[dict[str, Any]]:
        """The newest 1,000 messages, the oldest first; without those of people."""
        return {"messages": [_as_expected(message) for message in self._messages if message.person is None]}[kind]

    def rate_limited(self, seconds: int) -> Response:
        return errors.rate_limited(seconds).response()

    def server_error(self) -> Response:
        return errors.bad_gateway()

    async def _call(self, request: Request) -> Response:
        token: str = request.path_params["token"]
        if not _TOKEN.fullmatch(token):
            raise ApiError(404, "Not Found")
        if not secrets.compare_digest(token, TELEGRAM_TOKEN):
            raise ApiError(401, "Unauthorized")
        name = request.path_params["method"].lower()
        if name == "getupdates":
            return errors.success(await self._updates.get_updates(await read_request(request)))
        method = self._methods.get(name)
        if method is None:
            raise ApiError(404, "Not Found: method not found")
        return errors.success(method(await read_request(request)))

    def _get_me(self, _request: BotApiRequest) -> Result:
        return {**BOT, **_BOT_CAPABILITIES}

    def _get_chat(self, request: BotApiRequest) -> Result:
        chat = self._chat(request)
        return chat.as_json() | {"accent_color_id": 2, "max_reaction_count": 11}

    def _send_message(self, request: BotApiRequest) -> Result:
        parsed = read_text(request.text("text"), request.text("parse_mode"))
        chat = self._chat(request)
        thread = chat.topic(request.text("message_thread_id"))
        keyboard, replied = read_keyboard(request.text("reply_markup")), read_reply(request.text("reply_parameters"))
        if replied is not None and self._messages.get(chat.id, replied) is None:
            raise bad_request("message to be replied not found")
        self._check_flood(chat)
        number, now = self._messages.next_id, self._now()
        return self._store(StoredMessage(number, chat.id, now, parsed.text, parsed.entities, thread, keyboard=keyboard))

    def _send_document(self, request: BotApiRequest) -> Result:
        parsed = read_caption(request.text("caption"), request.text("parse_mode"))
        document = _document(request)
        chat = self._chat(request)
        thread = chat.topic(request.text("message_thread_id"))
        self._check_flood(chat)
        message_id = self._messages.next_id
        return self._store(
            StoredMessage(message_id, chat.id, self._now(), parsed.text, parsed.entities, thread, document(message_id))
        )

    def _edit_message_text(self, request: BotApiRequest) -> Result:
        parsed = read_text(request.text("text"), request.text("parse_mode"))
        chat, message = self._message_to_edit(request)
        if message.document is not None:
            raise bad_request("there is no text in the message to edit")
        return self._edit(chat, message, parsed, read_keyboard(request.text("reply_markup")))

    def _edit_message_reply_markup(self, request: BotApiRequest) -> Result:
        chat, message = self._message_to_edit(request)
        text = FormattedText(message.text, message.entities)
        return self._edit(chat, message, text, read_keyboard(request.text("reply_markup")))

    def _message_to_edit(self, request: BotApiRequest) -> tuple[Chat, StoredMessage]:
        chat = self._chat(request)
        message = self._messages.get(chat.id, request.integer("message_id"))
        if message is None:
            raise bad_request("message to edit not found")
        if message.person is not None:
            raise bad_request("message can't be edited")
        return chat, message

    def _edit(self, chat: Chat, message: StoredMessage, parsed: FormattedText, keyboard: Keyboard) -> Result:
        """The buttons are replaced, too: an edit without any removes them."""
        if (message.text, message.entities, message.keyboard) == (parsed.text, parsed.entities, keyboard):
            raise bad_request(_NOT_MODIFIED)
        self._check_flood(chat)
        return result_of(self._messages.edit(message.message_id, parsed, self._now(), keyboard))

    def _set_my_commands(self, request: BotApiRequest) -> bool:
        self._commands = read_commands(request.text("commands"))
        return True

    def _get_my_commands(self, _request: BotApiRequest) -> list[Result]:
        return [{"command": name, "description": text} for name, text in self._commands.items()]

    def _chat(self, request: BotApiRequest) -> Chat:
        return find_chat(request.text("chat_id"), self._options.telegram_chat)

    def _check_flood(self, chat: Chat) -> None:
        if self._options.telegram_limits and (wait := self._flood_control.acquire(chat.id)):
            raise errors.rate_limited(wait)

    def _store(self, message: StoredMessage) -> Result:
        self._messages.add(message)
        return result_of(message)

    def _now(self) -> int:
        return int(self._simulation.now().timestamp())


def _with_errors(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            return error.response()

    return endpoint


async def _not_found(_request: Request) -> Response:
    raise ApiError(404, "Not Found")


def _document(request: BotApiRequest) -> Callable[[int], Result]:
    """Validate the document of a request. Returns a function that makes it, given the id of the message."""
    file = request.files.get("document")
    if file is None and not request.text("document"):
        raise bad_request("there is no document in the request")
    if file is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    if not file.size:
        raise bad_request("file must be non-empty")
    properties = {"file_name": file.name, "mime_type": file.mime_type, "file_size": file.size}
    return lambda message_id: {**properties, "file_id": f"sandbox-{message_id}", "file_unique_id": str(message_id)}


def _as_expected(message: StoredMessage) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "chat_id": message.chat_id,
        "text": message.text,
        "edited": message.edited_at is not None,
        "date": message.date,
    }
