"""News through apprise, and pings by HTTP.

An address may hold a token anywhere in it. So nothing of an address, and no word that a library has for a
failure, gets into a message or a log: only what kind of failure it was. Each call ends in its time, whatever
the other side does; what has not ended then is left to itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from cedarchest import __version__
from cedarchest.config import kinds
from cedarchest.config.wording import Malformed
from cedarchest.errors import CedarchestError, ConfigError, NewsFailed
from cedarchest.model.names import readable
from cedarchest.ports import Address, News

if TYPE_CHECKING:
    from apprise import NotifyBase

PAUSES_S = (1.0, 2.0)
"""Waits between the tries of a ping."""

_BRING_S = 60.0
"""What a slow disk may take to bring apprise; it is not the other side's time."""

_GRACE_S = 5.0
"""So far above ours lies the network's own limit: what is said does not depend on which ends first."""

_LARGEST = 1 << 16
_SENDING = "sending"
_MOODS = {"ok": "success", "nothing-to-do": "info", "partial": "warning", "failed": "failure"}


class _Refused(NewsFailed):
    """The other side does not want it: another try would bring the same."""


class WebMessenger:
    """What is sent leaves this machine by whatever apprise knows, or by HTTP."""

    def __init__(self, pauses_s: Sequence[float] = PAUSES_S) -> None:
        self._pauses_s = pauses_s

    def check_notify(self, address: Address) -> str:
        """See that news can be sent there; sends nothing."""
        url = _read(address, kinds.notify_url)
        with _others_silenced():
            _service(url, 1)
        return urlsplit(url).scheme

    def check_ping(self, address: Address) -> str:
        """See that it is an address to ping; sends nothing."""
        return urlsplit(_read(address, kinds.ping_url)).scheme

    def notify(self, address: Address, news: News, timeout_s: float) -> None:
        """Send news."""
        url = _read(address, kinds.notify_url)
        _in_time(_BRING_S, _bring)
        _in_time(timeout_s, lambda: _notify(url, news, timeout_s + _GRACE_S))

    def ping(self, address: Address, part: str, body: str, timeout_s: float) -> None:
        """Ping; a try that fails is repeated unless it was refused."""
        url = _joined(_read(address, kinds.ping_url), part)
        for pause_s in (*self._pauses_s, None):
            try:
                _in_time(timeout_s, lambda: _request(url, body, timeout_s + _GRACE_S))
            except NewsFailed as error:
                if pause_s is None or isinstance(error, _Refused):
                    raise
                time.sleep(pause_s)
            else:
                return


def _read(address: Address, parse: Callable[[object], str]) -> str:
    """An address that was given, or stands in a file."""
    if isinstance(address, str):
        return address
    advice = "Correct url_file, or the file that it names."
    try:
        # Without O_NONBLOCK opening a pipe would wait for a writer.
        descriptor = os.open(address, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as stream:
            raw = stream.read(_LARGEST) or b""
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise ConfigError(
            f"the address in {readable(address)} cannot be read: {reason}", advice=advice, path=str(address)
        ) from None
    try:
        return parse(raw.decode("utf-8", "replace").strip())
    except Malformed:
        raise ConfigError(
            f"what stands in {readable(address)} is no address to send to", advice=advice, path=str(address)
        ) from None


def _in_time(timeout_s: float, work: Callable[[], None]) -> None:
    """Do something whose end is up to the other side; after its time it is waited for no more."""
    raised: list[CedarchestError] = []

    def guarded() -> None:
        try:
            work()
        except CedarchestError as error:
            raised.append(error)
        except Exception as error:  # noqa: BLE001 - services raise anything; their words may hold a token
            raised.append(NewsFailed(f"it ended with {type(error).__name__}"))

    thread = threading.Thread(target=guarded, name=_SENDING, daemon=True)
    with _others_silenced():
        thread.start()
        thread.join(timeout_s)
    if thread.is_alive():
        raise NewsFailed(f"there was no answer within {timeout_s:g} s")
    if raised:
        raise raised[0]


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.startswith("cedarchest")


@contextlib.contextmanager
def _others_silenced() -> Iterator[None]:
    """Have nothing logged but by us: apprise and what it sends with log whole addresses.

    What did not end in its time may still do so: others stay silent as long as it is at work.
    """
    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(_is_ours)
    try:
        yield
    finally:
        if all(thread.name != _SENDING for thread in threading.enumerate()):
            for handler in handlers:
                handler.removeFilter(_is_ours)


def _bring() -> None:
    import apprise  # noqa: F401 - it is there then


def _service(url: str, timeout_s: float) -> NotifyBase:
    from apprise import Apprise, AppriseAsset, OverflowMode

    asset = AppriseAsset(
        app_id="cedarchest",
        app_desc="backups on discs",
        app_url="",
        storage_mode="memory",
        allow_templates=False,
        interpret_emojis=False,
        pgp_autogen=False,
        pem_autogen=False,
        service_timeout=timeout_s,
        default_service_retry=len(PAUSES_S),
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise ConfigError(
            "apprise does not understand the address",
            advice="Correct url as https://appriseit.com has it for this service.",
        )
    if service.overflow_mode is OverflowMode.UPSTREAM:  # which a service refuses that takes less
        service.overflow_mode = OverflowMode.TRUNCATE
    return service


def _notify(url: str, news: News, timeout_s: float) -> None:
    from apprise import Apprise, NotifyType

    sender = Apprise()
    sender.add(_service(url, timeout_s))
    result = sender.notify(
        body=_sendable(news.body),
        title=_sendable(news.title),
        notify_type=NotifyType(_MOODS[news.outcome]),
        body_format="text",
        timeout=timeout_s,
    )
    if not result:
        raise NewsFailed(_reason(str(entry.message) for entry in result.logs()))


def _reason(words: Iterable[str]) -> str:
    """What kind of failure apprise tells of."""
    told = "\n".join(words)
    if match := re.search(r"error=(\d{3})\b", told):
        return f"the answer was {_status(int(match[1]))}"
    if re.search("connection error", told, re.IGNORECASE):
        return "the service cannot be reached, or does not answer"
    return "the service did not take it"


def _joined(url: str, part: str) -> str:
    """An address with something at the end of its path, or with another query, or another address."""
    if not part.startswith("/"):
        return urljoin(url, part)
    split = urlsplit(url)
    return split._replace(path=split.path.rstrip("/") + part).geturl()


def _request(url: str, body: str, timeout_s: float) -> None:
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(  # noqa: S310 - kinds.ping_url takes http and https only
        url,
        data=_sendable(body).encode() if body else None,
        headers={"User-Agent": f"cedarchest/{__version__}", "Content-Type": "text/plain; charset=utf-8"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        error.close()
        refused = 400 <= error.code < 500 and error.code != HTTPStatus.TOO_MANY_REQUESTS
        raise (_Refused if refused else NewsFailed)(f"the answer was {_status(error.code)}") from None
    except urllib.error.URLError as error:
        raise NewsFailed(f"it cannot be reached: {_why(error.reason)}") from None
    except (OSError, http.client.HTTPException) as error:
        raise NewsFailed(f"it does not answer: {_why(error)}") from None


def _why(reason: object) -> str:
    import ssl

    if isinstance(reason, ssl.SSLError):
        return f"TLS: {reason.reason}"
    return (reason.strerror if isinstance(reason, OSError) else None) or type(reason).__name__


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _sendable(text: str) -> str:
    """A text without halves of characters, which no service takes."""
    return text.encode("utf-8", "backslashreplace").decode()
