"""By which names the page answers: a name in the Host header of a request that is not the page's own is refused.

A site may let its own name point to 127.0.0.1 once its page is open ("DNS rebinding"). To the browser both are one origin then,
and its script could do here whatever a person can; only the Host header still tells. Imports nothing heavy.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

VARIABLE = "GAN_PLAYGROUND_HOSTS"  # names with commas between, as --allow-host
ANY = "*"
NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
HEADER = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/\s]+)(:\d{0,5})?")  # a name or an address, and a port


@dataclass(frozen=True)
class Hosts:
    """The names by which a page answers, besides this machine's loopback. addresses: by every address in numbers, too."""

    names: frozenset[str] = frozenset()
    addresses: bool = False

    def admit(self, headers: list[str]) -> bool:
        """Whether a request with these Host headers is answered; one without any comes from no browser."""
        return bool(headers) and all(self._admits(host_name(header)) for header in headers)

    def _admits(self, name: str) -> bool:
        return bool(name) and (ANY in self.names or name in self.names or is_loopback(name)
                               or (self.addresses and _address(name) is not None))


def host_name(header: str) -> str:
    """The name or the address in a Host header, in small letters, without the port; "" for what is neither."""
    match = HEADER.fullmatch(header.strip().lower())
    name = match[1].strip("[]") if match else ""
    return name.removesuffix(".") if _address(name) or NAME.fullmatch(name) else ""


def allowed_names(given: Iterable[str] | None = None, environ: Mapping[str, str] | None = None) -> frozenset[str]:
    """The names that somebody allows: by --allow-host, by VARIABLE, and by the address of a proxy in GRADIO_ROOT_PATH.

    Raises ValueError, one sentence, for what is no name.
    """
    environ = os.environ if environ is None else environ
    names = [("--allow-host", name) for name in given or ()]
    names += [(VARIABLE, name) for name in environ.get(VARIABLE, "").split(",") if name.strip()]
    proxy = urlsplit(environ.get("GRADIO_ROOT_PATH", "")).netloc.rpartition("@")[2]
    return frozenset({_allowed(source, name.strip()) for source, name in names} | ({host_name(proxy)} - {""}))


def _allowed(source: str, text: str) -> str:
    try:
        name = text if text == ANY else host_name(text if text.isascii() else text.encode("idna").decode())
    except UnicodeError:
        name = ""
    if not name:
        raise ValueError(f"{source} is {text[:80]}; give the name in the browser's address bar, such as hub.example.org, without "
                         "http:// and what follows, or * for any name.")
    return name


def is_loopback(host: str) -> bool:
    """Whether a listener on this host answers only this machine. "" is every address; a name other than localhost may be any."""
    name = host.strip().removeprefix("[").removesuffix("]").lower()
    if name == "localhost":
        return True
    address = _address(name)
    mapped = getattr(address, "ipv4_mapped", None)
    return address is not None and (mapped or address).is_loopback


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
