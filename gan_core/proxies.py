"""The proxies of schools and companies: downloads go through them, requests within this machine never do.

They are named by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in small or capital letters, or by the system.
"""

from __future__ import annotations

import os
import platform
import urllib.request
from urllib.parse import urlsplit

LOCAL = ("localhost", "127.0.0.1", "::1")


def bypass_for_this_machine(host: str = "") -> None:
    """Let requests to this machine, in this process and those that it starts, go past every proxy; host: an address of it."""
    hosts = [*LOCAL, platform.node(), *([host] if host and host not in ("0.0.0.0", "::") else [])]
    # Both names mean the same, and some programs read one of them only.
    known = [part.strip() for name in ("no_proxy", "NO_PROXY") for part in os.environ.get(name, "").split(",") if part.strip()]
    every = "*" if "*" in known else ",".join(dict.fromkeys([*known, *filter(None, hosts)]))
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = every


def proxy_for(url: str) -> str:
    """The host of the proxy through which a request to this address goes, with its port; "" for none.

    Neither user nor password: sentences are shown to everybody.
    """
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    proxies = urllib.request.getproxies()
    address = proxies.get(parts.scheme) or proxies.get("all") or ""
    return urlsplit(address if "//" in address else f"//{address}").netloc.rpartition("@")[2]
