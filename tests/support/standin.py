"""A server of files on this machine for tests and benchmarks: Range requests, ETags, and the faults of real servers."""

import gzip
import hashlib
import io
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

ANIMALS = Path(__file__).parents[3] / "shared" / "data" / "quickdraw_animals.npz"


@dataclass
class StandIn:
    """`with StandIn({"/sheep.npy": bytes}) as server: server.url("sheep.npy")`. Its faults can be set at any time."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    validators: bool = True
    lengths: bool = True
    status: int = 0  # answer everything with this status
    page: bytes = b""  # answer everything with this web page, as a network that requires a login does
    moved: str = ""  # redirect everything to there
    cut_after: list[int] = field(default_factory=list)  # the next answers end after so many bytes of their body, one each
    hold_after: int = -1  # every answer's body waits there until `go_on` is set
    go_on: threading.Event = field(default_factory=threading.Event)
    holding: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # (path, Range, If-Range)
    sent: int = 0  # bytes of bodies

    def __enter__(self):
        handler = type("Handler", (_Handler,), {"place": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # the client is gone
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, name=""):
        return f"http://127.0.0.1:{self._server.server_port}/{name}".rstrip("/")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        place, wanted, condition = self.place, self.headers.get("Range", ""), self.headers.get("If-Range", "")
        place.asked.append((self.path, wanted, condition))
        if place.moved:
            return self._head(302, 0, Location=place.moved)
        if place.status or (not place.page and self.path not in place.files):
            return self._body(place.status or 404, b"no", {})
        if place.page:
            return self._body(200, place.page, {"Content-Type": "text/html; charset=utf-8"})
        data = place.files[self.path]
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        head = {"Content-Type": "application/octet-stream"} | ({"ETag": tag} if place.validators else {})
        if place.ranges and wanted and condition in ("", tag):
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(begin), min(int(end or len(data)), len(data) - 1)
            if begin >= len(data):
                return self._head(416, 0)
            head["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
            return self._body(206, data[begin:end + 1], head)
        return self._body(200, data, head)

    def _head(self, status, length, **head):
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        if self.place.lengths:
            self.send_header("Content-Length", str(length))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()

    def _body(self, status, data, head):
        place = self.place
        cut = place.cut_after.pop(0) if place.cut_after and status in (200, 206) else len(data)
        self._head(status, len(data), **head)
        try:
            for at in range(0, min(cut, len(data)), 16384):
                block = data[at:min(at + 16384, cut)]
                if 0 <= place.hold_after < at + len(block) and not place.go_on.is_set():
                    early = max(0, place.hold_after - at)
                    self.wfile.write(block[:early])
                    self.wfile.flush()
                    place.holding.set()
                    place.go_on.wait(60)
                    block = block[early:]
                self.wfile.write(block)
                place.sent += len(block)
        except OSError:  # the client is gone
            self.close_connection = True
        if cut < len(data):
            self.close_connection = True


def npy(array):
    """The array as the bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def idx(array):
    """The array of bytes in LeCun's idx format, gzipped as it is published."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + array.astype(np.uint8).tobytes(), 1, mtime=0)


def drawings(*names):
    """{"/sheep.npy": bytes}: 1,000 drawings of each name as Quick, Draw! keeps them; real ones if they lie beside the
    project, else made up."""
    real = {}
    if ANIMALS.is_file():
        with np.load(ANIMALS) as kept:
            images, labels, known = kept["images"], kept["labels"], kept["names"].tolist()
        real = {name: images[labels == known.index(name)] for name in names if name in known}
    files = {}
    for name in names:
        rng = np.random.default_rng(list(name.encode()))
        made = real.get(name, (rng.random((1000, 28, 28)) > 0.8) * rng.integers(1, 256, (1000, 28, 28), np.uint8))
        files[f"/{name.replace(' ', '%20')}.npy"] = npy(made.astype(np.uint8).reshape(-1, 784))
    return files
