"""Decides for each request whether it may see or change something, and shows the form to sign in."""

import hmac
import re
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from telemetry.build import Telemetry
from telemetry.console.access import cookie, origins
from telemetry.console.access.attempts import WrongAttempts
from telemetry.console.access.forms import UnreadableForm, read_form
from telemetry.console.page_threads import PageThreads, TooBusy, TooLate
from telemetry.console.rendering import render
from telemetry.console.response_headers import PAGE_HEADERS
from telemetry.web.access import is_authorized

SIGN_IN: Final = "/sign-in"
_PARENT: Final = re.compile(r"\\|/(\.|%2e){1,2}(/|$)", re.IGNORECASE)
"""What a browser reads as a step up in a path."""
_ELSEWHERE: Final = (
    "Without OPS_TOKEN the console answers on this machine alone: open it by http://127.0.0.1 or http://localhost. "
    "To look from elsewhere, set OPS_TOKEN (32 random characters or more) and restart the service."
)
_FOREIGN: Final = "This changes something, and a page of another site has sent it. Open the console, and try it there."
_SIGN_IN_FIRST: Final = "You are not signed in, or it is more than 12 hours ago. Open the console, and sign in."
_WRONG: Final = "This is not the service's OPS_TOKEN."
_TOO_MANY: Final = "Too many wrong tokens came from this address. Try again in a minute."


class Gate:
    """Who may look, at one mounted console."""

    def __init__(self, root: str, title: str) -> None:
        self._root = root
        self._title = title
        self._attempts = WrongAttempts()
        self._tries = PageThreads(threads=1)  # one after the other: tries at the same time are all counted

    def refusal(self, request: Request, telemetry: Telemetry) -> Response | None:
        """The response to a request that may not see or change something; None for one that may."""
        if self._is_api_client(request, telemetry):
            return None
        if telemetry.settings.ops_token is None:
            if not origins.is_local(request):
                return self.message(request, 403, "Not from here", _ELSEWHERE)
        elif not _cookie(telemetry).is_valid(request):
            return self._not_signed_in(request)
        if request.method == "POST" and not origins.is_own_page(request):
            return self.message(request, 403, "Refused", _FOREIGN)
        return None

    def _is_api_client(self, request: Request, telemetry: Telemetry) -> bool:
        """A program that has the token. A browser sends this header for no page."""
        given = request.headers.get("authorization", "")
        return bool(given) and telemetry.settings.ops_token is not None and is_authorized(telemetry, given)

    def _not_signed_in(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return self.message(request, 401, "Not signed in", _SIGN_IN_FIRST)
        if origins.may_lack_cookie(request):
            return HTMLResponse(render("again.html", None, {"url": _here(request)}), headers=PAGE_HEADERS)
        wanted = f"?next={quote(_here(request), safe='')}"
        return RedirectResponse(f"{self._mounted(request)}{SIGN_IN}{wanted}", 303, PAGE_HEADERS)

    async def show_form(self, request: Request, telemetry: Telemetry) -> Response:
        if telemetry.settings.ops_token is None or _cookie(telemetry).is_valid(request):
            return RedirectResponse(self._wanted(request), 303, PAGE_HEADERS)
        return self._form(request, has_ended=request.query_params.get("ended") == "1")

    async def sign_in(self, request: Request, telemetry: Telemetry) -> Response:
        """Check the token of the form, in constant time, and set the cookie."""
        address = request.client.host if request.client else ""
        if not origins.is_own_page(request):
            return self.message(request, 403, "Refused", _FOREIGN)
        given = await _given_token(request)
        try:
            refused = await self._tries.run(partial(self._refusal_of, given, address, telemetry))
        except (TooBusy, TooLate):
            refused = _TOO_MANY, 429
        if refused:
            return self._form(request, *refused)
        response = RedirectResponse(self._wanted(request), 303, PAGE_HEADERS)
        _cookie(telemetry).set_on(response, request, self._mounted(request))
        return response

    def _refusal_of(self, given: str, address: str, telemetry: Telemetry) -> tuple[str, int] | None:
        """Why a token is refused; None for the right one. Nothing of the client's is waited for between the count and the look."""
        token, database = telemetry.settings.ops_token, telemetry.recent.database
        if self._attempts.are_too_many(address, database):
            return _TOO_MANY, 429
        if token is not None and hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            return None
        self._attempts.note(address, database)
        return _WRONG, 401

    async def sign_out(self, request: Request, _telemetry: Telemetry) -> Response:
        if not origins.is_own_page(request):
            return self.message(request, 403, "Refused", _FOREIGN)
        response = RedirectResponse(f"{self._mounted(request)}{SIGN_IN}", 303, PAGE_HEADERS)
        cookie.delete_from(response, self._mounted(request))
        return response

    def message(self, request: Request, status: int, heading: str, text: str) -> Response:
        """A page that says why there is no other."""
        shown = {"title": self._title, "heading": heading, "text": text, **self._paths(request)}
        return HTMLResponse(render("message.html", None, shown), status, PAGE_HEADERS)

    def _form(self, request: Request, problem: str = "", status: int = 200, *, has_ended: bool = False) -> Response:
        shown = {
            "title": self._title,
            "problem": problem,
            "next": self._wanted(request),
            "has_ended": has_ended,
            **self._paths(request),
        }
        return HTMLResponse(render("sign_in.html", None, shown), status, PAGE_HEADERS)

    def _paths(self, request: Request) -> dict[str, str]:
        return {"home": self._mounted(request), "form_action": f"{self._mounted(request)}{SIGN_IN}"}

    def _wanted(self, request: Request) -> str:
        """The page to go on with: one of the console, whatever the query says."""
        wanted, home = request.query_params.get("next", ""), self._mounted(request)
        is_own = wanted == home or wanted.startswith((f"{home}/", f"{home}?"))
        is_plain = wanted.isascii() and wanted.isprintable() and not _PARENT.search(wanted.partition("?")[0])
        return wanted if is_own and is_plain and SIGN_IN not in wanted else home

    def _mounted(self, request: Request) -> str:
        return mounted_at(request) + self._root


async def _given_token(request: Request) -> str:
    """Empty, and so wrong, in a form that cannot be read."""
    try:
        return (await read_form(request)).get("token", "").strip()
    except UnreadableForm:
        return ""


def mounted_at(request: Request) -> str:
    """The path below which a proxy shows the application; empty for none."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _cookie(telemetry: Telemetry) -> cookie.SignedCookie:
    token = telemetry.settings.ops_token
    return cookie.SignedCookie("" if token is None else token.get_secret_value())
