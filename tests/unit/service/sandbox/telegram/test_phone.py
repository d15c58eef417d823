import html
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from service.sandbox.telegram.chats import PRIVATE_CHAT
from service.sandbox.telegram.fake import TelegramFake
from service.sandbox.telegram.phone_messages import render_html

BOT = f"/telegram/bot{TELEGRAM_TOKEN}"
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def client(make_environment, make_client):
    return make_client(TelegramFake(make_environment(telegram_limits=False)))


@pytest.fixture
def send(client):
    def make(text, mode="", chat=TELEGRAM_CHAT_ID, **more):
        given = {"chat_id": chat, "text": text, "parse_mode": mode} | more
        return client.post(f"{BOT}/sendMessage", json=given).json()["result"]["message_id"]

    return make


def shown(client):
    return client.get("/phone/messages").json()["html"]


class Elements(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_says_that_it_is_a_sandbox_and_loads_nothing(client):
    page = client.get("/phone")

    elements = Elements(page.text)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Sandbox" in page.text
    assert {attributes["href"] for attributes in elements.of("link")} == {"data:,"}
    assert [attributes for _, attributes in elements.found if "src" in attributes] == []
    assert TELEGRAM_TOKEN not in page.text
    assert 'fetch("/phone/messages"' in page.text
    assert "setInterval(refresh, 1000)" in page.text


def test_the_browser_is_told_to_run_nothing_but_the_pages_own_script(client):
    policy = client.get("/phone").headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy


def test_an_empty_phone_says_what_would_be_there(client):
    assert "No messages yet" in client.get("/phone").text
    assert client.get("/phone/messages").json()["messages"] == []


def test_messages_are_shown_at_once_and_by_the_list_the_newest_at_the_bottom(client, send, clock):
    send("first")
    clock.advance(timedelta(minutes=5))
    send("second")

    page, listed = client.get("/phone").text, client.get("/phone/messages").json()
    assert listed["html"] in page
    assert page.index("first") < page.index("second")
    assert "No messages yet" not in page
    assert [message["text"] for message in listed["messages"]] == ["first", "second"]
    assert ">12:00</time>" in listed["html"]
    assert ">12:05</time>" in listed["html"]


def test_a_line_parts_the_days(client, send, clock):
    send("a")
    send("b")
    clock.advance(timedelta(days=1))
    send("c")

    html = shown(client)
    assert html.count('class="day"') == 2
    assert html.index("24 November 2026") < html.index("25 November 2026")


def test_an_edited_message_is_marked(client, send):
    message_id = send("down")
    assert "edited" not in shown(client)

    client.post(f"{BOT}/editMessageText", json={"chat_id": TELEGRAM_CHAT_ID, "message_id": message_id, "text": "up"})

    html = shown(client)
    assert ">edited<" in html
    assert "up" in html
    assert "down" not in html


def test_a_document_is_shown_with_its_name_and_size(client):
    sizes = {"small.log": 512, "log <b>.gz": 150_000, "large.db": 3 * 1024 * 1024}
    for name, size in sizes.items():
        given = {"chat_id": TELEGRAM_CHAT_ID, "caption": "of today" if size == 512 else ""}
        client.post(f"{BOT}/sendDocument", data=given, files={"document": (name, b"a" * size)})

    html = shown(client)
    assert "small.log</b><small>512 B</small>" in html
    assert "log &lt;b&gt;.gz</b><small>146.5 KB</small>" in html
    assert "large.db</b><small>3 MB</small>" in html
    assert html.count('class="text"') == 1
    assert client.get("/phone/messages").json()["messages"][0]["document"] == "small.log"


def test_a_message_elsewhere_says_where(client, send):
    send("here")
    send("there", message_thread_id=12)
    send("to one person", chat=PRIVATE_CHAT)

    html = shown(client)
    assert html.count("<header>") == 2
    assert "<header># Alerts</header>" in html
    assert "<header>Manager</header>" in html


def test_what_was_sent_is_text_and_never_markup_of_the_page(client, send):
    send(ATTACK)
    send(f"<code>{html.escape(ATTACK)}</code>", "HTML")
    send("<a href='javascript:alert(1)'>click</a>", "HTML")
    send("<a href='https://a.example/\"onclick=\"alert(1)'>a</a>", "HTML")
    client.post(
        f"{BOT}/sendDocument", data={"chat_id": TELEGRAM_CHAT_ID, "caption": ATTACK},
        files={"document": (ATTACK.replace('"', ""), b"a")},
    )  # fmt: skip

    elements = Elements(shown(client))
    assert elements.of("script") == elements.of("img") == []
    assert [link["href"] for link in elements.of("a")] == ['https://a.example/"onclick="alert(1)']
    assert [name for _, attributes in elements.found for name in attributes if name.startswith("on")] == []


@pytest.mark.parametrize(
    ("markup", "html"),
    [
        ("<b>a</b> <i>b</i> <u>c</u> <s>d</s>", "<b>a</b> <i>b</i> <u>c</u> <s>d</s>"),
        ("<b>a <i>b</i></b>&amp;", "<b>a <i>b</i></b>&amp;"),
        ("<code>a&lt;b</code>", "<code>a&lt;b</code>"),
        ("<pre>a</pre>\nb", "<pre>a</pre>b"),
        ("<blockquote>a</blockquote>", "<blockquote>a</blockquote>"),
        ("<tg-spoiler>a</tg-spoiler>", '<span class="spoiler" tabindex="0">a</span>'),
        ("<a href='tg://user?id=5'>a</a>", '<span class="mention">a</span>'),
        ("<tg-emoji emoji-id='5'>a</tg-emoji>", "a"),
        ("😀<b>ё</b>😀", "😀<b>ё</b>😀"),
    ],
)
def test_a_message_is_shown_as_its_entities_say(client, send, markup, html):
    send(markup, "HTML")
    assert f'<div class="text">{html}</div>' in shown(client)


def test_links_can_be_followed_and_take_nothing_along(client, send):
    send("https://a.example/?a=1&amp;b=2 <a href='https://b.example'>b</a>", "HTML")

    links = Elements(shown(client)).of("a")
    assert [link["href"] for link in links] == ["https://a.example/?a=1&b=2", "https://b.example"]
    assert {link["rel"] for link in links} == {"noreferrer noopener"}


def test_entities_that_cross_are_cut_where_the_outer_one_ends():
    entities = [{"type": "bold", "offset": 0, "length": 2}, {"type": "italic", "offset": 1, "length": 2}]
    assert render_html("abc", entities) == "<b>a<i>b</i></b>c"


def test_entities_in_disorder_leave_the_page_whole():
    entities = [{"type": "bold", "offset": 1, "length": 1}, {"type": "italic", "offset": 0, "length": 1}]
    assert render_html("abc", entities) == "a<b>b</b>c"


def test_a_message_that_is_nested_deep_can_be_shown(client, send):
    send("<b>" * 2000 + "deep" + "</b>" * 2000, "HTML")
    assert "deep" in client.get("/phone").text


def test_an_entity_in_half_of_a_character_leaves_the_page_whole():
    assert render_html("😀a", [{"type": "bold", "offset": 1, "length": 1}]) == "�<b>�</b>a"


def test_of_many_messages_the_newest_are_shown(client, send):
    for number in range(205):
        send(f"message {number}.")

    assert len(client.get("/phone/messages").json()["messages"]) == 200
    assert "message 4." not in shown(client)
    assert "message 204." in shown(client)
