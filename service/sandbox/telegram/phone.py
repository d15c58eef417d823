"""The page `/phone`: shows the messages of the fake Telegram as they arrive, with their buttons, and takes what people write."""

import base64
import hashlib
import html
from collections.abc import Iterable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from service.sandbox.telegram.chats import CHATS, MANAGER_CHAT
from service.sandbox.telegram.message_store import StoredMessage
from service.sandbox.telegram.phone_input import PhoneInput
from service.sandbox.telegram.phone_messages import render_messages
from service.sandbox.telegram.phone_users import PEOPLE

_MAX_SHOWN: Final = 200
_STYLE: Final = """
:root{color-scheme:light;--wall:#cfe0c3;--bar:#517da2;--link:#2678b6;--faint:#7c8b97}
*{box-sizing:border-box}
html,body{height:100%;margin:0}
body{display:flex;justify-content:center;align-items:center;background:#e9edf0;color:#111;
font:16px/1.4 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Noto Color Emoji",sans-serif}
main{display:flex;flex-direction:column;width:100%;height:100%;max-width:30rem;background:var(--wall)}
@media(min-width:34rem) and (min-height:34rem){main{height:min(96vh,56rem);border:10px solid #1c1c1e;border-radius:2.6rem;
overflow:hidden;box-shadow:0 20px 60px #0005}}
main>header{display:flex;align-items:center;gap:.75rem;padding:.7rem 1rem;background:var(--bar);color:#fff}
main>header i{flex:none;display:grid;place-items:center;width:2.6rem;height:2.6rem;border-radius:50%;
background:#7fb2e0;font:600 1.2rem system-ui}
main>header b{display:block;line-height:1.2}
main>header small{opacity:.85}
main>header em{margin-left:auto;padding:.15rem .6rem;border-radius:1rem;background:#ffd54a;color:#3b2f00;
font:600 .75rem/1.5 system-ui;letter-spacing:.03em}
#chat{flex:1;overflow-y:auto;scrollbar-width:thin;padding:.75rem;display:flex;flex-direction:column;gap:.4rem;
background-image:radial-gradient(#b9d1a8 1.5px,transparent 1.5px);background-size:22px 22px}
#chat::before{content:"";margin-top:auto}
#chat:has(.empty)::before{display:none}
article{flex:none;align-self:flex-start;max-width:88%;padding:.45rem .7rem .35rem;background:#fff;
border-radius:1rem 1rem 1rem .3rem;box-shadow:0 1px 1px #0002;overflow-wrap:anywhere}
article>header{color:#c2621d;font-weight:600;font-size:.85rem}
.text{white-space:pre-wrap}
footer{text-align:right;color:var(--faint);font-size:.75rem;line-height:1.2}
.day{flex:none;text-align:center;margin:.3rem 0}
.day span{padding:.15rem .7rem;border-radius:1rem;background:#5a7a4399;color:#fff;font-size:.8rem;font-weight:600}
a,.mention{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
code,pre{font:.86em/1.45 ui-monospace,"SF Mono",Menlo,"DejaVu Sans Mono",monospace;color:#8a2846}
pre{margin:.3rem 0;padding:.5rem .6rem;border-left:3px solid var(--link);border-radius:.4rem;background:#f0f4f7;color:#333;
white-space:pre-wrap}
blockquote{margin:.2rem 0;padding:.2rem .6rem;border-left:3px solid var(--link);border-radius:.3rem;background:#e8f2fa}
.spoiler{border-radius:.2rem;background:#9aa5ae;color:transparent}
.spoiler:hover,.spoiler:focus{background:#e4e8eb;color:inherit}
.document{display:flex;align-items:center;gap:.65rem;padding:.2rem 0}
.document i{flex:none;position:relative;width:2.5rem;height:2.5rem;border-radius:50%;background:var(--link)}
.document i::after{content:"";position:absolute;inset:.68rem .82rem;border-radius:.15rem;background:#fff;
clip-path:polygon(0 0,60% 0,100% 35%,100% 100%,0 100%)}
.document b{display:block;line-height:1.25}
.document small{color:var(--faint)}
.empty{margin:auto;max-width:18rem;padding:1rem 1.2rem;border-radius:1rem;background:#ffffffd9;text-align:center}
.empty b{display:block;margin-bottom:.3rem}
.empty code{white-space:nowrap}
.mine{align-self:flex-end;background:#e7fbd2;border-radius:1rem 1rem .3rem 1rem}
.keyboard{display:flex;flex-direction:column;gap:.25rem;margin:.35rem 0 .2rem}
.keyboard>div{display:flex;gap:.25rem}
.keyboard button{flex:1;padding:.4rem .5rem;border:0;border-radius:.5rem;background:#e3eef7;color:var(--link);
font:600 .85rem system-ui;cursor:pointer}
.keyboard button:disabled{opacity:.5}
form{display:flex;gap:.4rem;padding:.5rem .7rem;background:#f7f8f9}
form select,form input,form button{padding:.4rem .5rem;border:1px solid #c9d1d8;border-radius:.6rem;background:#fff;font:inherit;font-size:.9rem}
form input{flex:1;min-width:0}
#toast{position:fixed;left:50%;bottom:7rem;transform:translateX(-50%);max-width:24rem;padding:.5rem .9rem;border-radius:.7rem;
background:#222d;color:#fff;font-size:.9rem;text-align:center}
#toast:empty{display:none}
main>footer{padding:.6rem 1rem;background:#f7f8f9;color:var(--faint);text-align:center;font-size:.8rem}
"""
_SCRIPT: Final = """
const chat = document.getElementById("chat"), state = document.getElementById("state");
let shown = null;
const toEnd = () => { chat.scrollTop = chat.scrollHeight; };
async function refresh() {
  try {
    const answer = await fetch("/phone/messages", {cache: "no-store"});
    const html = (await answer.json()).html;
    state.textContent = "bot · times in UTC";
    if (html !== shown) {
      const atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
      chat.innerHTML = html;
      if (shown === null || atEnd) toEnd();
      shown = html;
    }
  } catch (error) {
    state.textContent = "the sandbox does not answer";
  }
}
const toast = document.getElementById("toast"), person = document.getElementById("person");
let hiding = 0;
function say(text) {
  toast.textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.textContent = ""; }, 8000);
}
async function post(path, body) {
  const options = {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)};
  const response = await fetch(path, options);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}
chat.addEventListener("click", async event => {
  const button = event.target.closest(".keyboard button");
  if (!button) return;
  button.disabled = true;
  const {message, row, column} = button.dataset;
  try {
    const body = {person: +person.value, message_id: +message, row: +row, column: +column};
    const {answer} = await post("/phone/press", body);
    say(answer === null ? "The bot does not respond." : answer);
  } catch (error) {
    say(error.message);
  }
  button.disabled = false;
  refresh();
});
document.getElementById("write").addEventListener("submit", async event => {
  event.preventDefault();
  const text = document.getElementById("text");
  try {
    await post("/phone/write", {person: +person.value, text: text.value});
    text.value = "";
  } catch (error) {
    say(error.message);
  }
  await refresh();
  toEnd();
});
toEnd();
refresh();
setInterval(refresh, 1000);
"""
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sandbox · phone</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>{style}</style></head>
<body><main><header><i aria-hidden="true">A</i><div><b>Alerts</b><small id="state">bot · times in UTC</small></div>
<em>Sandbox</em></header>
<section id="chat" aria-live="polite" aria-label="Messages">{bubbles}</section>
<div id="toast" role="status"></div>
<form id="write"><select id="person" aria-label="Who writes and presses">{people}</select>
<input id="text" aria-label="Message" placeholder="/help" maxlength="4096" required autocomplete="off"><button>Send</button></form>
<footer>A stand-in for Telegram: nothing leaves this machine.</footer></main>
<script>{script}</script></body></html>
"""


def _csp_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# Markup in a message has no effect: only the style and script of the page itself are allowed.
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src {_csp_hash(_STYLE)}; script-src {_csp_hash(_SCRIPT)}; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


class Phone:
    """Shows the newest messages. What people do goes to the `inbox`."""

    def __init__(self, messages: Iterable[StoredMessage], inbox: PhoneInput) -> None:
        self._messages = messages
        self._inbox = inbox

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/phone", self._page),
            Route("/phone/messages", self._list),
            Route("/phone/write", self._write, methods=["POST"]),
            Route("/phone/press", self._press, methods=["POST"]),
        ]

    async def _write(self, request: Request) -> Response:
        body = await _read_json(request)
        chat_id = _integer(body, "chat_id") if "chat_id" in body else MANAGER_CHAT
        if chat_id not in CHATS:
            raise HTTPException(422, "There is no such chat.")
        message = self._inbox.write(_integer(body, "person"), str(body.get("text", "")), chat_id)
        return JSONResponse({"message_id": message.message_id}, headers=_HEADERS)

    async def _press(self, request: Request) -> Response:
        """Responds with the bot's answer, or null if it gives none."""
        body = await _read_json(request)
        numbers = [_integer(body, name) for name in ("person", "message_id", "row", "column")]
        query_id = self._inbox.press(*numbers)
        return JSONResponse({"answer": await self._inbox.answer(query_id)}, headers=_HEADERS)

    async def _page(self, _request: Request) -> Response:
        people = "".join(
            f'<option value="{each.id}">{html.escape(each.first_name)}</option>' for each in PEOPLE.values()
        )
        page = _PAGE.format(style=_STYLE, script=_SCRIPT, people=people, bubbles=render_messages(self._newest()))
        return HTMLResponse(page, headers=_HEADERS)

    async def _list(self, _request: Request) -> Response:
        newest = self._newest()
        shown = [_as_json(message) for message in newest]
        return JSONResponse({"messages": shown, "html": render_messages(newest)}, headers=_HEADERS)

    def _newest(self) -> list[StoredMessage]:
        return list(self._messages)[-_MAX_SHOWN:]


def _as_json(message: StoredMessage) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "text": message.text,
        "date": message.date,
        "edited": message.edited_at is not None,
        "buttons": [[button["text"] for button in row] for row in message.keyboard],
        "person": message.person,
        "document": message.document and message.document["file_name"],
    }


async def _read_json(request: Request) -> dict[str, Any]:
    """The body, which another site's page cannot send without being asked: its type is JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "Send JSON.")
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise HTTPException(422, "The body must be a JSON object.")
    return body


def _integer(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise HTTPException(422, f"`{name}` must be an integer.")
    return value
