"""What any messenger does: in memory and over the web; and what the web does to one."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fakes.messenger import MemoryMessenger
from tests.web import Web, serving

from cedarchest.adapters.messenger import WebMessenger
from cedarchest.errors import ConfigError, NewsFailed
from cedarchest.ports import Messenger, News

NEWS = News("cedarchest all on here: failed", "no disc\n  Insert one.", "failed")
TOKEN = "s3cr3tt0ken"


@dataclass
class Made:
    """A messenger, where it reaches somebody and where nobody, and what got there."""

    messenger: Messenger
    hearing: str
    silent: str
    watching: str
    gone: str
    told: Callable[[], list[tuple[str, str]]]
    pings: Callable[[], list[tuple[str, str]]]


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """What did not end in its time goes on to silence all log but ours; here other tests follow."""
    yield
    for handler in logging.getLogger().handlers:
        handler.filters.clear()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        yield server


@pytest.fixture(params=["memory", "web"])
def made(request: pytest.FixtureRequest, web: Web) -> Made:
    hearing, silent = web.url("/news", "json"), web.url("/403", "json")
    watching, gone = web.url("/ping"), web.url("/404")
    if request.param == "memory":
        memory = MemoryMessenger({silent, gone})
        return Made(
            memory, hearing, silent, watching, gone,
            lambda: [(news.title, news.body) for _url, news in memory.told],
            lambda: [(part, body) for _url, part, body in memory.pings],
        )  # fmt: skip
    return Made(
        WebMessenger(), hearing, silent, watching, gone,
        lambda: [(each["title"], each["message"]) for each in web.news()],
        lambda: [
            (asked.partition("/ping")[2], body) for asked, body in zip(web.asked, web.bodies, strict=True)
        ],
    )  # fmt: skip


def test_news_get_there_as_they_are(made: Made) -> None:
    made.messenger.notify(made.hearing, NEWS, 10)
    odd = News("title", "a :smile: {{x}} \\n <b> & é", "ok")
    made.messenger.notify(made.hearing, odd, 10)
    assert made.told() == [(NEWS.title, NEWS.body), (odd.title, odd.body)]


def test_pings_get_there(made: Made) -> None:
    for part, body in (("/start", ""), ("", ""), ("/fail", "no disc"), ("?status=down", "")):
        made.messenger.ping(made.watching, part, body, 10)
    assert made.pings() == [("/start", ""), ("", ""), ("/fail", "no disc"), ("?status=down", "")]


def test_who_does_not_take_it_is_an_error(made: Made) -> None:
    with pytest.raises(NewsFailed):
        made.messenger.notify(made.silent, NEWS, 10)
    with pytest.raises(NewsFailed):
        made.messenger.ping(made.gone, "", "", 10)


def test_an_address_may_stand_in_a_file(made: Made, tmp_path: Path) -> None:
    file = tmp_path / "url"
    for missing in (file, tmp_path):
        with pytest.raises(ConfigError, match="read"):
            made.messenger.notify(missing, NEWS, 10)
        with pytest.raises(ConfigError, match="read"):
            made.messenger.ping(missing, "", "", 10)
    file.write_text(f"{made.hearing}\n")
    assert made.messenger.check_notify(file) == "json"
    made.messenger.notify(file, NEWS, 10)
    assert made.told() == [(NEWS.title, NEWS.body)]
    file.write_text(TOKEN)
    for check in (made.messenger.check_notify, made.messenger.check_ping):
        with pytest.raises(ConfigError) as caught:
            check(file)
        assert TOKEN not in str(caught.value)


def test_a_check_sends_nothing(made: Made) -> None:
    assert made.messenger.check_notify(made.silent) == "json"
    assert made.messenger.check_ping(made.gone) == "http"
    assert (made.told(), made.pings()) == ([], [])


@pytest.mark.parametrize("url", ["nonsense://x/y", "slack://x", "tgram://x"])
def test_what_apprise_does_not_understand_is_a_wrong_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match="apprise does not understand the address"):
        WebMessenger().check_notify(url)


def test_a_pipe_in_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is no address"):
        WebMessenger().check_ping(tmp_path / "pipe")


def test_what_fails_for_the_moment_is_tried_again_and_what_is_refused_is_not(web: Web) -> None:
    for path, reason, tries in (
        ("/503", "503 Service Unavailable", 3),
        ("/429", "429 Too Many Requests", 3),
        ("/404", "404 Not Found", 1),
    ):
        with pytest.raises(NewsFailed, match=f"the answer was {reason}"):
            WebMessenger((0, 0)).ping(web.url(path), "", "why", 10)
        assert web.asked == [f"POST {path}"] * tries
        web.asked.clear()


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


def test_the_reason_is_told_and_the_token_is_not(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    messenger = WebMessenger(())
    nobody = f"127.0.0.1:{closed_port()}"
    for address, reason in (
        (web.url(f"/500/{TOKEN}", "json"), "the answer was 500 Internal Server Error"),
        (f"json://{TOKEN}:{TOKEN}@{nobody}/{TOKEN}?+X-Key={TOKEN}", "the service cannot be reached"),
        (web.url(f"/hang/{TOKEN}", "json"), "there was no answer within 0.5 s"),
        (f"nonsense://{TOKEN}", "apprise does not understand"),
    ):
        with pytest.raises((NewsFailed, ConfigError), match=reason) as caught:
            messenger.notify(address, NEWS, 0.5 if "/hang" in address else 10)
        assert TOKEN not in repr(caught.value)
    for address, reason in (
        (web.url(f"/500/{TOKEN}"), "the answer was 500"),
        (f"http://{nobody}/{TOKEN}", "cannot be reached: Connection refused"),
        (f"http://{'a' * 70}.invalid/{TOKEN}", "it ended with UnicodeError"),
        (f"https://{web.host}/{TOKEN}", "cannot be reached: TLS: "),
        (web.url(f"/hang/{TOKEN}"), r"no answer within 0\.3 s|does not answer: |cannot be reached: "),
    ):
        with pytest.raises(NewsFailed, match=reason) as caught:
            messenger.ping(address, "/start", "", 0.3 if "/hang" in address else 10)
        assert TOKEN not in repr(caught.value)
    assert not [line for line in caplog.messages if TOKEN in line]


def test_one_that_answers_drop_by_drop_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        began = time.monotonic()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                for _ in range(20):
                    connection.sendall(b"X-Header: x\r\n")
                    time.sleep(0.1)

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(NewsFailed, match=r"no answer within 0\.5 s"):
            WebMessenger(()).ping(url, "", "", 0.5)
        assert time.monotonic() - began < 1.5
        thread.join()


def test_others_log_again_once_the_news_are_sent(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    messenger = WebMessenger()
    messenger.check_notify(web.url("/", "json"))
    messenger.notify(web.url("/", "json"), NEWS, 10)
    messenger.ping(web.url("/"), "", "", 10)
    logging.getLogger("an_extension").warning("said")
    assert caplog.messages == ["said"]


def test_news_are_cut_to_what_a_service_takes(web: Web) -> None:
    WebMessenger().notify(f"rocket://a/b@{web.host}/#c", News("t", "0123456789" * 200, "failed"), 10)
    assert web.asked == ["POST /hooks/a/b"]
    assert 900 < web.bodies[0].count("0123456789") * 10 <= 1000


def test_what_no_service_would_take_is_sent_in_other_words(web: Web) -> None:
    WebMessenger().notify(web.url("/", "json"), News("t", "a \udcff", "ok"), 10)
    assert r'"a \\udcff"' in web.bodies[0]
