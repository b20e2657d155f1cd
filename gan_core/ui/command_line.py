"""The options of `python playground.py`, and whether a server can listen where they say. Imports nothing heavy."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

from ..argument_parser import ArgumentParser
from .hosts import allowed_names


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line; without a flag, gradio's environment variable applies."""
    parser = ArgumentParser(description="Watch, steer and understand a GAN while it learns.")
    parser.add_argument("--host", help="address to listen on; 0.0.0.0 lets others in (default: this machine only)")
    parser.add_argument("--port", help="port (default: GRADIO_SERVER_PORT, else the first free one from 7860)")
    parser.add_argument("--share", action="store_true", default=None, help="make a public link; whoever has it controls the page")
    parser.add_argument("--allow-host", action="append", metavar="NAME",
                        help="answer by this name, too, as a proxy's; * for any; may be repeated")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--checkpoints", type=Path, metavar="DIR", help="where runs live (default: ./checkpoints)")
    parser.add_argument("--attach", action="append", metavar="PATH", help="a run elsewhere, or a folder of runs; may be repeated")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), help="where new runs train (default: auto)")
    parser.add_argument("--threads", default=0, help="processor threads of the training; 0 measures")
    parser.add_argument("--seed", help="the seed of new runs (default: 0)")
    args = parser.parse_args(argv)
    for name, low, high in (("port", 1, 65535), ("threads", 0, 256), ("seed", 0, 2**31 - 1)):
        text = getattr(args, name)
        if text is not None:
            setattr(args, name, _whole(parser, f"--{name}", str(text), low, high))
    try:
        args.allow_host = allowed_names(args.allow_host)
    except ValueError as error:
        parser.error(str(error))
    if args.port is None and "GRADIO_SERVER_PORT" in os.environ:  # gradio itself reads it, and would fail with a traceback
        _whole(parser, "GRADIO_SERVER_PORT", os.environ["GRADIO_SERVER_PORT"], 1, 65535)
    return args


def _whole(parser: ArgumentParser, name: str, text: str, low: int, high: int) -> int:
    """The number, or the end of the process with one sentence."""
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        parser.error(f"{name} is {text[:40]}; give a whole number from {low} to {high}")
    return number


def listening_fault(host: str, port: int | None, source: str = "--host") -> str:
    """Why a server cannot listen at this address, in one sentence; "" where it can.

    port: None lets gradio look for a free one. source: where the host was given.
    """
    hint = "give 127.0.0.1 for this machine only, 0.0.0.0 for everybody who can reach it, or one of its own addresses."
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]") or "0.0.0.0", 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.bind(address)
    except (OSError, UnicodeError):  # a name that is too long for DNS is a UnicodeError
        return f"{source} is {host}, which is no address of this machine; {hint}"
    if port is not None:
        try:
            with socket.socket(family) as probe:
                if os.name == "posix":  # as the server does: a connection that was just closed is no program
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address[0], port, *address[2:]))
        except OSError as error:
            reason = "only an administrator may use" if isinstance(error, PermissionError) else "another program uses"
            return f"--port is {port}, which {reason} at {host}; give another one, or leave it out to take the first free one."
    return ""
