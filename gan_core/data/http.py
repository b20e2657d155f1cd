"""One request over HTTP, as bytes that come and can be left at any moment. It knows no file; httpx is imported with the first."""

from __future__ import annotations

import contextlib
import functools
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from ..messages import Fault, message, os_reason

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 20.0  # seconds until a server that does not answer, or falls silent, is given up
TICK = 0.05  # seconds between two looks at whether somebody cancelled, while nothing comes


class FetchFailed(Fault):
    """This address did not give the file; half a sentence."""


class ConnectionCut(FetchFailed):
    """The connection ended too early: what came is good, and the rest may be asked for."""


def stream_response(url: str, headers: dict[str, str], waiting: Callable[[], None]) -> Iterator[Any]:
    """First (status, headers), then the body's bytes as they come; `waiting` is called whenever nothing came for a moment.

    The connection has a thread of its own, so that a cancel is heard at once however long a server or a name takes.
    """
    came: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=16)
    ended = threading.Event()
    threading.Thread(target=_connection, args=(url, headers, came, ended), name="download", daemon=True).start()
    try:
        while True:
            try:
                kind, value = came.get(timeout=TICK)
            except queue.Empty:
                waiting()
                continue
            if kind == "end":
                return
            if kind == "failed":
                raise value
            yield value
    finally:
        ended.set()


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Reading all certificates takes longer than a small file: once is enough."""
    import httpx

    return httpx.create_ssl_context()


def _beneath(error: BaseException) -> Any:
    """Why there is no connection, as a value of a sentence: what the system said, which httpx wraps twice."""
    beneath: BaseException | None = error
    while beneath is not None and not isinstance(beneath, OSError):
        beneath = beneath.__cause__ or beneath.__context__
    if isinstance(beneath, socket.gaierror):
        return message("no_name")
    return os_reason(beneath) if isinstance(beneath, OSError) else error


def _connection(url: str, headers: dict[str, str], came: queue.Queue, ended: threading.Event) -> None:
    """The thread: what comes goes into the queue, the last thing is "end" or "failed"."""
    import httpx

    def put(kind: str, value: Any) -> None:
        while not ended.is_set():
            with contextlib.suppress(queue.Full):
                return came.put((kind, value), timeout=TICK)

    try:
        # httpx follows redirects to http and https only.
        limits = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
        with httpx.Client(follow_redirects=True, max_redirects=5, timeout=limits, verify=_trusted()) as client, \
                client.stream("GET", url, headers=headers) as response:
            put("head", (response.status_code, response.headers))
            for chunk in response.iter_raw():  # as they are on the wire: a .gz stays one
                put("bytes", chunk)
                if ended.is_set():
                    return
        put("end", None)
    except httpx.TimeoutException as error:
        late = CONNECT_TIMEOUT if isinstance(error, httpx.ConnectTimeout) else READ_TIMEOUT
        kind = FetchFailed if isinstance(error, httpx.ConnectTimeout) else ConnectionCut
        put("failed", kind("no_answer", seconds=late))
    except httpx.ConnectError as error:
        put("failed", FetchFailed("no_host", host=urlsplit(url).hostname, reason=_beneath(error)))
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        put("failed", FetchFailed("no_address", reason=error))
    except httpx.TransportError as error:
        put("failed", ConnectionCut("cut", reason=error))
    except Exception as error:  # a proxy's settings, a certificate: whatever it is, it is said and not lost in a thread
        put("failed", FetchFailed("other_failure", kind=type(error).__name__, reason=error))
