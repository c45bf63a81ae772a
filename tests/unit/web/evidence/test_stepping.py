"""Who reads a page, by what comes with the request: for a person the machine works, a crawler is told nothing."""

import pytest
from fastapi import Request

from app.web.evidence.stepping import Reader, reader_of
from app.web.site.head import ASKED

PERSON, CRAWLER = Reader(begins=True, told=True), Reader(begins=False, told=False)
# As they call themselves; most say neither bot nor crawler where one would look for it.
CRAWLERS = [
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/1",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 6.0.1) Chrome/1 Mobile Safari/537.36 (compatible; Google-InspectionTool/1.0;)",
    "Mozilla/5.0 (Macintosh) Chrome/1 Safari/537.36 (compatible; GoogleOther)",
    "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)",
    "Mozilla/5.0 (compatible; proximic; +https://www.comscore.com/Web)",
    "Mozilla/4.5 (compatible; HTTrack 3.0x; Windows 98)",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
]
PERSONS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
    " Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 11; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile"
    " Safari/537.36",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
]


def visit(agent: str, path: str = "/runs/x/prompts/y", *, head: bool = False, **headers: str) -> Reader:
    sent = [(b"user-agent", agent.encode())]
    sent += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": sent,
        "query_string": b"",
        "server": ("x", 80),
    }
    return reader_of(Request(scope | ({ASKED: True} if head else {})))


@pytest.mark.parametrize("agent", CRAWLERS)
def test_nothing_is_made_for_a_crawler_and_nothing_promised(agent: str) -> None:
    assert visit(agent) == CRAWLER


@pytest.mark.parametrize("agent", PERSONS)
def test_what_is_missing_is_made_for_a_person(agent: str) -> None:
    """Whatever the telephone is called."""
    assert visit(agent) == PERSON


def test_a_browser_that_looks_ahead_makes_nobody_work() -> None:
    for visited in (
        visit(PERSONS[0], sec_purpose="prefetch;prerender"),
        visit(PERSONS[0], purpose="prefetch"),
        visit(PERSONS[0], head=True),
        visit(PERSONS[0], "/runs/x/prompts/y.json"),
    ):
        assert visited == Reader(begins=False, told=True)


def test_a_script_or_a_text_browser_is_told_of_what_others_asked_for() -> None:
    """It starts nothing by looking; a button works for it as for anybody."""
    for agent in ("curl/8.5.0", "python-httpx/0.28", "Lynx/2.9.2 libwww-FM/2.14", ""):
        assert visit(agent) == Reader(begins=False, told=True)
