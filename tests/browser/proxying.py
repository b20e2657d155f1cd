"""A proxy in front of the playground that treats server-sent events as some proxies and antivirus programs do."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator

HEAD_END = b"\r\n\r\n"


class Proxy:
    """Forwards every connection as it is, but for bodies of `text/event-stream`; `mode` holds for the requests that follow.

    "pass": they come at once; "hold": when they end; "pieces": in pieces of 64 kB; "cut": at once, for `seconds`;
    "refuse": 502 in their place.
    """

    def __init__(self, port: int, mode: str, seconds: float = 0.0) -> None:
        self.mode, self.seconds = mode, seconds
        self.streams: list[str] = []  # the streams that were asked for
        self.cuts = 0
        self.requests: list[str] = []
        self._upstream = ("127.0.0.1", port)
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closed.is_set():
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One request, then the connection is closed: nothing has to know where a body ends."""
        with client, contextlib.suppress(OSError):
            head, rest = self._read_head(client)
            if not head:
                return
            request, _, headers = head.partition(b"\r\n")
            path = request.split(b" ")[1].decode()
            self.requests.append(path)
            kept = [line for line in headers.split(b"\r\n") if line and not line.lower().startswith(b"connection:")]
            with socket.create_connection(self._upstream) as server:
                server.sendall(b"\r\n".join([request, *kept, b"Connection: close"]) + HEAD_END + rest)
                self._answer(client, server, path)

    def _answer(self, client: socket.socket, server: socket.socket, path: str) -> None:
        mode, head, known, ends = self.mode, b"", False, None
        held = bytearray()
        for data in self._both(client, server):
            if not known:
                head += data
                if HEAD_END not in head:
                    continue
                known, data = True, head
                lines = head.partition(HEAD_END)[0].lower()
                if b"\r\ncontent-type: text/event-stream" not in lines:
                    mode = "pass"
                elif "/gan/stream" in path:
                    self.streams.append(path)
                if mode == "refuse":
                    client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close" + HEAD_END)
                    return
                ends = time.monotonic() + self.seconds if mode == "cut" else None
            held += data
            if mode in ("pass", "cut"):
                client.sendall(held)
                held.clear()
            while mode == "pieces" and len(held) >= 64 << 10:
                client.sendall(held[:64 << 10])
                del held[:64 << 10]
            if ends is not None and time.monotonic() > ends:
                self.cuts += 1
                return
        client.sendall(held)

    def _both(self, client: socket.socket, server: socket.socket) -> Iterator[bytes]:
        """What the server sends, while both are there; what else the client sends goes to the server."""
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while not self._closed.is_set():
                for key, _ in ready.select(0.5):
                    data = key.fileobj.recv(256 << 10)  # type: ignore[union-attr]
                    if not data:
                        return
                    if key.fileobj is server:
                        yield data
                    else:
                        server.sendall(data)

    @staticmethod
    def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
        data = b""
        while HEAD_END not in data:
            part = client.recv(64 << 10)
            if not part:
                return b"", b""
            data += part
        head, _, rest = data.partition(HEAD_END)
        return head, rest
