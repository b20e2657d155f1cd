"""Takes the paths of this machine out of what is shown where strangers reach the page; of each its last part stays.

Whether strangers do, and what is shown, is left to `run_catalogue` and to whoever answers a browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PATH_FIELDS = ("path", "folder", "file", "dataset")  # of messages and configs: each holds one path and no sentence
_REST = r"""[^\s'"`<>|;,()]"""  # a letter of a path that stands in a sentence
# A path between quotation marks, which may hold spaces; a file's address; a bare path. Of an address such as s3://bucket/runs,
# of 1/2 and of and/or no part is one.
_PATHS = rf"""(?P<mark>['"`])(?P<quoted>(?:~?/(?!/)|[A-Za-z]:[\\/]).*?)(?P=mark)
             | (?P<address>(?:file|local)://{_REST}+)
             | (?<![\w./\\~])(?P<bare>(?:~?/(?!/)|[A-Za-z]:[\\/](?!/)){_REST}+)"""


class PathRedaction:
    """`roots`: folders whose paths are known, so that spaces in them are no end."""

    def __init__(self, roots: Iterable[Path]) -> None:
        known = {str(path) for root in roots for path in (root, root.resolve()) if path.is_absolute() and path.name}
        names = "|".join(re.escape(path) for path in sorted(known, key=len, reverse=True)) or "(?!)"
        self._paths = re.compile(rf"(?P<known>(?:{names})(?:[\\/]{_REST}*|(?!\w))) | {_PATHS}", re.VERBOSE)

    def text(self, text: str) -> str:
        """The text with the last part of each path in its place."""
        return self._paths.sub(_shortened, text)

    def value(self, value: Any, name: str = "") -> Any:
        """JSON values, with every text in them so. `name`: of the field that holds it, which may be a path, or end with one."""
        if isinstance(value, str):
            kind, colon, path = value.partition(":") if name == "dataset" else ("", "", value)
            return f"{kind}{colon}{last_part(path)}" if name in PATH_FIELDS and _is_path(path) else self.text(value)
        if isinstance(value, dict):
            return {key: self.value(one, key) for key, one in value.items()}
        return [self.value(one) for one in value] if isinstance(value, list) else value


def last_part(path: str) -> str:
    """The name of a file or folder, by its path as this or another system writes it."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def _is_path(text: str) -> bool:
    return re.match(r"""\s*['"]?(?:~?[\\/]|[A-Za-z]:[\\/]|file://)""", text) is not None


def _shortened(match: re.Match[str]) -> str:
    if match["quoted"]:
        return f"{match['mark']}{last_part(match['quoted'])}{match['mark']}"
    return last_part(match["known"] or match["address"] or match["bare"])
