"""Whether strangers can reach the page: a public link, a Space, or a listener beyond this machine's loopback.

Flags and environment variables are read as gradio reads them. A client's address proves nothing: tunnels, proxies and `ssh -L`
all connect from this machine.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping

from gradio import http_server
from gradio.utils import colab_check, is_hosted_notebook


def is_public(host: str | None = None, share: bool | None = None, environ: Mapping[str, str] | None = None) -> bool:
    """Whether a page launched with these arguments can be reached by strangers. None: gradio's variables decide.

    In doubt the answer is yes. A proxy that somebody sets up in front of a loopback page cannot be seen from here.
    """
    # gradio reads the name of its listener when it is imported.
    values = {**os.environ, "GRADIO_SERVER_NAME": http_server.LOCALHOST_NAME} if environ is None else environ
    if share is None:  # gradio shares by itself from a hosted notebook, which cannot reach localhost
        share = values.get("GRADIO_SHARE", "").lower() == "true" or colab_check() or is_hosted_notebook()
    return bool(share or values.get("SPACE_ID") or not is_loopback(host or values.get("GRADIO_SERVER_NAME", "127.0.0.1")))


def is_loopback(host: str) -> bool:
    """Whether a listener on this host answers only this machine. "" is every address; a name other than localhost may be any."""
    name = host.strip().removeprefix("[").removesuffix("]").lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
