"""The command line: `python -m gan_core.data` lists what is kept of data, `--remove NAME` deletes it after asking."""

from __future__ import annotations

import argparse
import sys
import time

from . import storage
from .types import data_folder


def table(things: list[storage.StoredDataset]) -> str:
    """One line each: name, kind, pictures or points, size, last used."""
    rows = [("name", "kind", "count", "MB", "last used")]
    for one in things:
        name = "".join(c if c.isprintable() else "?" for c in one.dataset)
        rows.append((name, one.kind, "" if one.count is None else f"{one.count:,}", f"{one.bytes / 1e6:,.1f}",
                     time.strftime("%Y-%m-%d", time.localtime(one.used))))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(n) if k in (2, 3) else cell.ljust(n)
                               for k, (cell, n) in enumerate(zip(row, wide, strict=True))).rstrip() for row in rows)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gan_core.data",
                                     description="List the data kept here: uploads, drawings, downloads, prepared pictures.")
    parser.add_argument("--remove", nargs="+", metavar="NAME", help="delete these, by the names in the list")
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    args = parser.parse_args(argv)
    things = storage.list_datasets()
    if args.yes and not args.remove:
        parser.error("--yes was given without --remove; name what is to be deleted: --remove NAME.")
    if not args.remove:
        total = sum(one.bytes for one in things)
        print(f"{table(things)}\n" if things else "", f"{total / 1e6:,.1f} MB of data are kept in {data_folder()}.", sep="")
        return 0
    known = {one.dataset: one for one in things}
    for name in args.remove:
        if name not in known:
            print(f"Nothing is kept here under the name {name[:100]!r}; give a name from the list that "
                  "`python -m gan_core.data` prints. Nothing was deleted.", file=sys.stderr)
            return 2
    print(table([known[name] for name in args.remove]))
    if any(known[name].kind in ("uploaded", "drawn") for name in args.remove):
        print("A run that learned from an upload or a drawing can be looked at afterwards, but not resumed; "
              "it keeps 16 of the pictures.")
    if not args.yes and not _sure():
        print("Nothing was deleted.", file=sys.stderr)
        return 1
    for name in args.remove:
        try:
            storage.remove(name)
        except OSError as error:
            print(f"{name} cannot be deleted: {error.strerror or error}. End what uses it and try again.", file=sys.stderr)
            return 1
    print(f"Deleted: {', '.join(args.remove)}.")
    return 0


def _sure() -> bool:
    """What a person answers; no, where nobody can."""
    if not sys.stdin.isatty():
        print("There is no terminal to ask on; add --yes to delete without asking.", file=sys.stderr)
        return False
    return input("Delete? [y/N] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
