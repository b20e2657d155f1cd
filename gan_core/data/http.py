"""One HTTP request, streamed and cancellable at any moment. It opens no file. httpx is imported with the first request."""

from __future__ import annotations

import contextlib
import functools
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from ..messages import Fault, Message, message, os_reason
from ..proxies import proxy_for

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 20.0  # seconds
TICK = 0.05  # seconds between two checks for a cancel while nothing arrives


class FetchFailed(Fault):
    """This address did not deliver the file; the sentence is a clause of a longer one."""


class ConnectionCut(FetchFailed):
    """The connection ended too early: what arrived is good, and the rest may be requested."""


@dataclass(frozen=True)
class Response:
    """A response whose body is still to come: `chunks` raises FetchFailed where the connection ends early."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


_Head: TypeAlias = tuple[int, Mapping[str, str]]
_Queue: TypeAlias = "queue.Queue[_Head | bytes | FetchFailed | None]"  # None is the end of the body


@contextlib.contextmanager
def open_response(url: str, headers: dict[str, str], on_wait: Callable[[], None]) -> Iterator[Response]:
    """GET `url`; `on_wait` is called every TICK while nothing arrives, and may raise. Raises FetchFailed.

    A thread holds the connection, so that a cancel takes effect at once however long a server or a name lookup takes.
    """
    items: _Queue = queue.Queue(maxsize=16)
    closed = threading.Event()
    threading.Thread(target=_connect, args=(url, headers, items, closed), name="download", daemon=True).start()
    try:
        head = _next(items, on_wait)
        assert isinstance(head, tuple), "the head comes first"
        yield Response(*head, _chunks(items, on_wait))
    finally:
        closed.set()


def _chunks(items: _Queue, on_wait: Callable[[], None]) -> Iterator[bytes]:
    while isinstance(chunk := _next(items, on_wait), bytes):
        yield chunk


def _next(items: _Queue, on_wait: Callable[[], None]) -> _Head | bytes | None:
    while True:
        try:
            item = items.get(timeout=TICK)
        except queue.Empty:
            on_wait()
            continue
        if isinstance(item, FetchFailed):
            raise item
        return item


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, read once: reading them takes longer than a small file."""
    import httpx

    return httpx.create_ssl_context()


def _root_cause(error: BaseException) -> Message | BaseException | str:
    """Why there is no connection, as a message's value: the system's error, which httpx wraps twice."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, socket.gaierror):
        return message("no_name")
    return os_reason(cause) if isinstance(cause, OSError) else error


def _connect(url: str, headers: dict[str, str], items: _Queue, closed: threading.Event) -> None:
    """The thread: puts the head and the chunks into the queue, and last None or a FetchFailed."""
    import httpx

    proxy = proxy_for(url)

    def put(item: _Head | bytes | FetchFailed | None) -> None:
        while not closed.is_set():
            with contextlib.suppress(queue.Full):
                return items.put(item, timeout=TICK)

    try:
        # httpx follows redirects to http and https only.
        limits = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
        with httpx.Client(follow_redirects=True, max_redirects=5, timeout=limits, verify=_trusted()) as client, \
                client.stream("GET", url, headers=headers) as response:
            put((response.status_code, response.headers))
            for chunk in response.iter_raw():  # as they are on the wire: a .gz stays one
                put(chunk)
                if closed.is_set():
                    return
        put(None)
    except httpx.ConnectTimeout:
        put(FetchFailed("no_answer", seconds=CONNECT_TIMEOUT) if not proxy else FetchFailed("proxy_silent", proxy=proxy))
    except httpx.TimeoutException:
        put(ConnectionCut("no_answer", seconds=READ_TIMEOUT) if not proxy else ConnectionCut("proxy_silent", proxy=proxy))
    except httpx.ProxyError as error:  # it has answered, with a refusal
        put(FetchFailed("proxy_refused", proxy=proxy, reason=error))
    except httpx.ConnectError as error:
        reason = _root_cause(error)
        put(FetchFailed("proxy_failed", proxy=proxy, reason=reason) if proxy else FetchFailed(
            "no_host", host=urlsplit(url).hostname, reason=reason))
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        put(FetchFailed("no_address", reason=error))
    except httpx.TransportError as error:
        put(ConnectionCut("cut", reason=error))
    except Exception as error:  # a proxy's settings, a certificate: an exception must not be lost in the thread
        put(FetchFailed("other_failure", kind=type(error).__name__, reason=error))
