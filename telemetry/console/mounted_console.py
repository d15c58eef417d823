"""`mount(app)`: adds the console to an application."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final
from urllib.parse import quote, unquote

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from telemetry import setup
from telemetry.build import Telemetry
from telemetry.console.access.forms import UnreadableForm, read_form
from telemetry.console.access.gate import SIGN_IN, Gate, mounted_at
from telemetry.console.options import ConsoleOptions
from telemetry.console.page_definition import Action, ConsolePage, PageNotFound, Refused
from telemetry.console.page_threads import PageThreads, TooBusy, TooLate
from telemetry.console.pages import ACTIONS, PAGES, taken_profiles
from telemetry.console.rendering import compressed, render
from telemetry.console.response_headers import PAGE_HEADERS
from telemetry.console.static_files import read_file
from telemetry.console.view import ConsoleFrame, View
from telemetry.health.report import Report
from telemetry.health.runner import HealthChecks
from telemetry.instrumentation.fastapi import FastAPIInstrumentor
from telemetry.json_safe import without_surrogates
from telemetry.recent.pipeline import CONSOLE_PATH
from telemetry.web.access import NOT_STARTED
from telemetry.web.probes import Probes

_DONE: Final = "console_done"
_MAX_SENTENCE: Final = 300
CHANGE_DEADLINE: Final = 60.0
"""Seconds for a change, which may wait for an external service."""
_TOO_SLOW: Final = "This page took more than 10 seconds: the database or the disk may be slow."
_CHANGE_GOES_ON: Final = "This took more than a minute, and goes on. Look at the page again to see what became of it."
_NO_OPTIONS: Final = ConsoleOptions()
_log = logging.getLogger(__name__)
_Handler = Callable[[Request, Telemetry], Awaitable[Response]]


def mount(app: FastAPI, path: str = CONSOLE_PATH, options: ConsoleOptions = _NO_OPTIONS) -> None:
    """Add the console to an application whose telemetry is started. `TELEMETRY_CONSOLE=false` adds nothing.

    With `OPS_TOKEN` set, it is for those who sign in with that; without it, for browsers on this machine.

    Args:
        app: an application that serves no requests yet.
        path: where the console is, such as `/console`.
        options: what the telemetry cannot know of the application.

    Raises:
        ValueError: the path is not one such as `/console`.
    """
    if not path.startswith("/") or path != quote(path) or path.endswith("/"):
        raise ValueError(f"path={path!r}: a path that begins with / and does not end with it, such as /console")
    if (running := setup.current()) is not None:
        if not running.settings.telemetry_console:
            return
        running.recent.activate(path)
    _Console(app, path, options).add_routes()
    for untraced in (path, f"{path}/*"):  # a page that is looked at would fill the list of traces
        FastAPIInstrumentor.leave_untraced(app, untraced)


class _Console:
    def __init__(self, app: FastAPI, root: str, options: ConsoleOptions) -> None:
        self._app = app
        self._pages = (*PAGES[:-1], *options.pages, PAGES[-1])  # that of the telemetry itself is the last one
        navigation = [(page.title, page.path.rstrip("/")) for page in self._pages if page.in_navigation]
        checks = partial(_run_checks, options.checks, options.check_names) if options.checks else Probes({}).health
        self._frame = ConsoleFrame(root, options.title or app.title, navigation, options.jobs, options.notices, checks)
        self._gate = Gate(root, self._frame.title)
        self._runner = PageThreads()
        self._changes = PageThreads(CHANGE_DEADLINE)

    def add_routes(self) -> None:
        for page in self._pages:
            self._add(page.path.rstrip("/"), partial(self._show, page))
        self._add("/", self._redirect_home)
        for action in (*ACTIONS, *(each for page in self._pages for each in page.actions)):
            self._add(action.path, partial(self._act, action), method="POST")
        self._add(SIGN_IN, self._gate.show_form, is_open=True)
        self._add(SIGN_IN, self._gate.sign_in, method="POST", is_open=True)
        self._add("/sign-out", self._gate.sign_out, method="POST", is_open=True)
        self._add("/static/{name}", read_file, is_open=True)
        self._add(taken_profiles.PATH, taken_profiles.send_profile)
        self._add("/{path:path}", self._say_unknown)

    def _add(self, path: str, handler: _Handler, *, method: str = "GET", is_open: bool = False) -> None:
        async def endpoint(request: Request) -> Response:
            if (telemetry := setup.current()) is None:
                return PlainTextResponse(NOT_STARTED, 503)
            if not is_open and (refusal := self._gate.refusal(request, telemetry)):
                return refusal
            try:
                return await handler(request, telemetry)
            except ClientDisconnect:  # amid its form: nobody is left who could read an answer
                return Response(status_code=400)

        self._app.add_route(self._frame.root + path, endpoint, [method], include_in_schema=False)

    def _view(self, request: Request, telemetry: Telemetry) -> View:
        at = mounted_at(request)
        return View(
            self._frame,
            telemetry,
            {name: without_surrogates(value) for name, value in request.query_params.items()},
            request.path_params,
            path=request.url.path.removeprefix(at).removeprefix(self._frame.root),
            mounted_at=at,
            by=f"console, from {request.client.host}" if request.client else "console",
        )

    async def _redirect_home(self, request: Request, _telemetry: Telemetry) -> Response:
        return RedirectResponse(mounted_at(request) + self._frame.root, 307, PAGE_HEADERS)

    async def _say_unknown(self, request: Request, _telemetry: Telemetry) -> Response:
        return self._gate.message(request, 404, "Not found", "The console has no such page.")

    async def _show(self, page: ConsolePage, request: Request, telemetry: Telemetry) -> Response:
        view = self._view(request, telemetry)
        layout = "fragment.html" if "x-console-fragment" in request.headers else "layout.html"
        done = unquote(request.cookies.get(_DONE, ""))[:_MAX_SENTENCE]

        def make() -> Response:
            values = {"page": page, "layout": layout, "done": done, **page.read(view)}
            return compressed(request, render(page.template, view, values, page.templates))

        response = await self._run(request, page.title, make)
        if done and layout == "layout.html":
            response.delete_cookie(_DONE, path=mounted_at(request) + self._frame.root)
        return response

    async def _act(self, action: Action, request: Request, telemetry: Telemetry) -> Response:
        view = self._view(request, telemetry)
        try:
            view.form = await read_form(request)
        except UnreadableForm as error:
            return self._gate.message(request, error.status, "Not done", str(error))

        def change() -> Response:
            sentence = action.run(view)
            names = {name: str(value) for name, value in view.params.items()}
            response = RedirectResponse(view.url(action.returns_to.format(**names)), 303, PAGE_HEADERS)
            path = mounted_at(request) + self._frame.root
            response.set_cookie(
                _DONE,
                quote(sentence[:_MAX_SENTENCE], errors="replace"),
                max_age=60,
                path=path,
                httponly=True,
                samesite="strict",
            )
            return response

        return await self._run(request, action.path, change, self._changes)

    async def _run(
        self, request: Request, name: str, make: Callable[[], Response], threads: PageThreads | None = None
    ) -> Response:
        """Make a response in a thread; a page that says why, if there can be none."""
        show = partial(self._gate.message, request)
        try:
            return await (threads or self._runner).run(make)
        except PageNotFound as error:
            return show(404, "Not found", str(error))
        except Refused as error:
            return show(409, "Not done", str(error))
        except TooBusy:
            return show(503, "Busy", "Too many pages are being read at once. Try again in a few seconds.")
        except TooLate:
            return show(504, "Too slow", _CHANGE_GOES_ON if threads else _TOO_SLOW)
        except Exception:  # noqa: BLE001  # an edge: whatever a page raises, the others work
            _log.exception("The page %s of the console failed", name)
            return show(500, "Failed", "This page has an error, which is in the service's log. The other pages work.")


def _run_checks(checks: HealthChecks, names: Sequence[str], _telemetry: Telemetry) -> Awaitable[Report]:
    return checks.run(names or None)
