"""The page `/phone`: shows the messages that were sent to the fake Telegram, as they arrive."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from service.sandbox.telegram.message_store import StoredMessage
from service.sandbox.telegram.phone_messages import render_messages

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
toEnd();
refresh();
setInterval(refresh, 2000);
"""
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sandbox · phone</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>{style}</style></head>
<body><main><header><i aria-hidden="true">A</i><div><b>Alerts</b><small id="state">bot · times in UTC</small></div>
<em>Sandbox</em></header>
<section id="chat" aria-live="polite" aria-label="Messages">{bubbles}</section>
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
    """Shows the newest messages."""

    def __init__(self, messages: Iterable[StoredMessage]) -> None:
        self._messages = messages

    def routes(self) -> list[BaseRoute]:
        return [Route("/phone", self._page), Route("/phone/messages", self._list)]

    async def _page(self, _request: Request) -> Response:
        page = _PAGE.format(style=_STYLE, script=_SCRIPT, bubbles=render_messages(self._newest()))
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
        "document": message.document and message.document["file_name"],
    }
