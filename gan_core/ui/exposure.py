"""Whether strangers can reach the page: a public link, a Space, or a listener beyond this machine's loopback. And by which names.

Flags and environment variables are read as gradio reads them. A client's address proves nothing: tunnels, proxies and `ssh -L`
all connect from this machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from gradio import http_server
from gradio.utils import colab_check, is_hosted_notebook

from .hosts import Hosts, is_loopback


def is_public(host: str | None = None, share: bool | None = None, environ: Mapping[str, str] | None = None) -> bool:
    """Whether a page launched with these arguments can be reached by strangers. None: gradio's variables decide.

    In doubt the answer is yes. A proxy that somebody sets up in front of a loopback page cannot be seen from here.
    """
    values = _values(environ)
    return _is_linked(share, values) or not is_loopback(host or values.get("GRADIO_SERVER_NAME", "127.0.0.1"))


def answered_hosts(allowed: frozenset[str], host: str | None = None, share: bool | None = None,
                   environ: Mapping[str, str] | None = None) -> Hosts | None:
    """The names by which a page launched with these arguments answers; None: by any name.

    A page on loopback answers by loopback's names and the allowed ones. A public link and a Space have a name of their own, which
    is not known here. A page that others reach by its address answers by any name, unless some are allowed: then by those, and by
    addresses in numbers.
    """
    values = _values(environ)
    if _is_linked(share, values):
        return None
    local = is_loopback(host or values.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    return Hosts(allowed, addresses=not local) if local or allowed else None


def _values(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    """gradio reads the name of its listener when it is imported."""
    return {**os.environ, "GRADIO_SERVER_NAME": http_server.LOCALHOST_NAME} if environ is None else environ


def _is_linked(share: bool | None, values: Mapping[str, str]) -> bool:
    """Whether there is a public link, or a Space around the page."""
    if share is None:  # gradio shares by itself from a hosted notebook, which cannot reach localhost
        share = values.get("GRADIO_SHARE", "").lower() == "true" or colab_check() or is_hosted_notebook()
    return bool(share or values.get("SPACE_ID"))
