"""A page of the console, and an action that changes something."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telemetry.console.view import View

Context = Mapping[str, Any]


class PageNotFound(Exception):
    """404: there is nothing of that name. The message says so, and what there is."""


class Refused(Exception):
    """409: an action cannot be done now. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """A page.

    Attributes:
        path: below the console's own, such as `/reviews` or `/jobs/{name:path}` (Starlette's parameters).
        title: its name in the navigation and in the browser's tab.
        template: the name of its Jinja2 template, which extends `layout`.
        read: makes what the template shows. Called in a worker thread, with a deadline; may raise `PageNotFound`.
        templates: the directory of the template; None for those of the console.
        in_navigation: False for the page of one thing, which another page leads to.
        actions: the changes that its forms ask for.
        refresh_seconds: how often the page is read again while it is looked at; 0 for never.
    """

    path: str
    title: str
    template: str
    read: Callable[["View"], Context]
    templates: Path | None = None
    in_navigation: bool = True
    refresh_seconds: float = 5.0
    actions: Sequence["Action"] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """A change, by a POST from a form of the console.

    Attributes:
        path: below the console's own, such as `/jobs/{name}/pause`.
        run: does it, in a worker thread, with the form's fields as `view.form`. Returns one sentence that says what was done.
            It may raise `PageNotFound` and `Refused`.
        returns_to: the page to go on with, below the console's own path; parameters in braces are those of the path.
    """

    path: str
    run: Callable[["View"], str]
    returns_to: str
