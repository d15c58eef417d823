import pytest

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from service.sandbox.telegram.fake import TelegramFake


@pytest.fixture
def send(make_environment, make_client):
    client = make_client(TelegramFake(make_environment(telegram_limits=False)))

    def make(text, mode="HTML", **more):
        given = {"chat_id": TELEGRAM_CHAT_ID, "text": text, "parse_mode": mode} | more
        return client.post(f"/telegram/bot{TELEGRAM_TOKEN}/sendMessage", json=given)

    return make


def read(answer):
    """The text, and its entities as `type offset+length` with their other attributes."""
    result = answer.json()["result"]
    entities = []
    for one in result.get("entities", []):
        more = [str(value) for name, value in one.items() if name not in {"type", "offset", "length"}]
        entities.append(" ".join([f"{one['type']} {one['offset']}+{one['length']}", *more]))
    return result["text"], entities


def why(answer):
    assert answer.status_code == 400
    return answer.json()["description"].removeprefix("Bad Request: can't parse entities: ")


@pytest.mark.parametrize(
    ("markup", "text", "entities"),
    [
        ("<b>a</b> <strong>b</strong>", "a b", ["bold 0+1", "bold 2+1"]),
        ("<i>a</i> <em>b</em>", "a b", ["italic 0+1", "italic 2+1"]),
        ("<u>a</u> <ins>b</ins>", "a b", ["underline 0+1", "underline 2+1"]),
        ("<s>a</s><strike>b</strike><del>c</del>", "abc", [f"strikethrough {n}+1" for n in range(3)]),
        ('<tg-spoiler>a</tg-spoiler><span class="tg-spoiler">b</span>', "ab", ["spoiler 0+1", "spoiler 1+1"]),
        ("<code>a</code><pre>b</pre>", "ab", ["code 0+1", "pre 1+1"]),
        ('<pre><code class="language-python">a</code></pre>', "a", ["pre 0+1 python"]),
        ("<pre><code>a</code></pre>", "a", ["pre 0+1", "code 0+1"]),
        ('<code class="language-python">a</code>', "a", ["code 0+1"]),
        ('<a href="https://a.example/?a=1&amp;b=2">a</a>', "a", ["text_link 0+1 https://a.example/?a=1&b=2"]),
        ("<a href='tg://user?id=5'>a</a>", "a", ["text_mention 0+1 {'id': 5, 'is_bot': False, 'first_name': 'User'}"]),
        ("<a>a</a>", "a", []),
        ("<a>https://a.example</a>", "https://a.example", ["text_link 0+17 https://a.example"]),
        ("<a href=abc.DEF >a</a>", "a", ["text_link 0+1 abc.def"]),
        ('<a href="">a</a>', "a", []),
        ("<blockquote>a</blockquote>", "a", ["blockquote 0+1"]),
        ("<blockquote expandable>a</blockquote>", "a", ["expandable_blockquote 0+1"]),
        ('<tg-emoji emoji-id="53">👍</tg-emoji>', "👍", ["custom_emoji 0+2 53"]),
        ('<tg-time unix="1647531900" format="wDT">now</tg-time>', "now", ["date_time 0+3 1647531900 wDT"]),
        ("<b>a <i>b</i> c</b>", "a b c", ["bold 0+5", "italic 2+1"]),
        ("<B>a</>", "a", ["bold 0+1"]),
        ("<b\n>a</b >", "a", ["bold 0+1"]),
        ("😀<b>ё</b>", "😀ё", ["bold 2+1"]),
        ("<b></b>a", "a", []),
        ("&lt;b&gt; &amp;&quot; &#1103;&#x42F; &#x1F600;", '<b> &" яЯ 😀', []),
        ("&nbsp; &copy; & &ltx; &#0; &#xD800; &LT;", "&nbsp; &copy; & &ltx; &#0; &#xD800; &LT;", []),
        ("  \n<b> a </b>\n ", "a", ["bold 0+1"]),
        ("a <b> </b>", "a", []),
    ],
)
def test_html_is_read_as_telegram_reads_it(send, markup, text, entities):
    assert read(send(markup)) == (text, entities)


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("Bad <x>markup</x>", 'Unsupported start tag "x" at byte offset 4'),
        ("ошибка <x>", 'Unsupported start tag "x" at byte offset 13'),
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("<br/>a", 'Unsupported start tag "br/" at byte offset 0'),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b><i>a</i>", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b><i>a</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ("<b>a</b x>", "Unclosed end tag at byte offset 4"),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("<a href", "Unclosed start tag at byte offset 0"),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a href=", "Unclosed start tag at byte offset 0"),
        ('<a href="x"', "Unclosed start tag at byte offset 0"),
        ('<a ="x">a</a>', 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href=x/>a</a>", "Unexpected end of name token at byte offset 8"),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ('<span class="red">a</span>', 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ('<tg-emoji emoji-id="x">a</tg-emoji>', "Invalid custom emoji identifier specified"),
        ("<tg-time>a</tg-time>", "Invalid Unix time specified"),
    ],
)
def test_html_that_is_wrong_is_refused_with_the_place(send, markup, reason):
    assert why(send(markup)) == reason


def test_text_without_a_mode_is_text(send):
    assert read(send("<b> *a* &amp;", "")) == ("<b> *a* &amp;", [])


@pytest.mark.parametrize("mode", ["html", "Html", "HTML"])
def test_the_case_of_a_mode_does_not_matter(send, mode):
    assert read(send("<b>a</b>", mode)) == ("a", ["bold 0+1"])


def test_an_address_in_the_text_is_a_link_unless_it_is_one_already(send):
    assert read(send("😀 see https://a.example/x?y=1.")) == ("😀 see https://a.example/x?y=1.", ["url 7+23"])
    assert read(send("<code>https://a.example</code>"))[1] == ["code 0+17"]
    assert read(send("<b>https://a.example</b>"))[1] == ["bold 0+17", "url 0+17"]


def test_a_message_has_a_hundred_entities_and_what_is_beyond_them_is_plain(send):
    side_by_side, nested = send("<b>a</b> " * 101), send("<b>" * 2000 + "a" + "</b>" * 2000)

    assert len(read(side_by_side)[1]) == len(read(nested)[1]) == 100


@pytest.mark.parametrize("mode", ["Markdown", "MarkdownV2", "markdownv2"])
def test_markdown_is_refused_because_the_sandbox_does_not_support_it(send, mode):
    answer = send("*a*", mode)

    assert answer.status_code == 400
    assert answer.json()["description"] == (
        f"Bad Request: the sandbox does not support parse_mode {mode}: send HTML or plain text"
    )


@pytest.mark.parametrize("mode", ["", "HTML"])
@pytest.mark.parametrize("name", ["entities", "caption_entities"])
def test_entities_are_refused_because_the_sandbox_does_not_support_them(send, name, mode):
    answer = send("a b", mode, **{name: [{"type": "bold", "offset": 0, "length": 1}]})

    assert answer.status_code == 400
    assert answer.json()["description"] == (
        f"Bad Request: the sandbox does not support {name}: send HTML or plain text"
    )
