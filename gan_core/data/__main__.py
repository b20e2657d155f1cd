"""The command line: `python -m gan_core.data` lists the stored data, `--remove NAME` deletes some after asking."""

from __future__ import annotations

import argparse
import sys
import time

from ..surroundings import prepare

if __name__ == "__main__":
    prepare()  # before numpy is imported

from . import storage
from .types import data_folder


def table(datasets: list[storage.StoredDataset]) -> str:
    """One line each: name, kind, number of pictures or points, size, last use."""
    rows = [("name", "kind", "count", "MB", "last used")]
    for stored in datasets:
        name = "".join(c if c.isprintable() else "?" for c in stored.dataset)
        rows.append((name, stored.kind, "" if stored.count is None else f"{stored.count:,}", f"{stored.bytes / 1e6:,.1f}",
                     time.strftime("%Y-%m-%d", time.localtime(stored.last_used))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) if k in (2, 3) else cell.ljust(width)
                               for k, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0, 1 where not all was deleted, 2 for a name that is not in the list."""
    parser = argparse.ArgumentParser(prog="python -m gan_core.data",
                                     description="List the data kept here: uploads, drawings, downloads, prepared pictures.")
    parser.add_argument("--remove", nargs="+", metavar="NAME", help="delete these, by the names in the list")
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    args = parser.parse_args(argv)
    datasets = storage.list_datasets()
    if args.yes and not args.remove:
        parser.error("--yes was given without --remove; name what to delete: --remove NAME.")
    if not args.remove:
        total = sum(stored.bytes for stored in datasets)
        print(f"{table(datasets)}\n" if datasets else "", f"{total / 1e6:,.1f} MB of data are kept in {data_folder()}.", sep="")
        return 0
    by_name = {stored.dataset: stored for stored in datasets}
    for name in args.remove:
        if name not in by_name:
            print(f"Nothing is kept here under the name {name[:100]!r}; give a name from the list that "
                  "`python -m gan_core.data` prints. Nothing was deleted.", file=sys.stderr)
            return 2
    return _remove([by_name[name] for name in args.remove], confirmed=args.yes)


def _remove(datasets: list[storage.StoredDataset], confirmed: bool) -> int:
    print(table(datasets))
    if any(stored.kind in ("uploaded", "drawn") for stored in datasets):
        print("A run that learned from an upload or a drawing can still be viewed, but not resumed; "
              "it keeps some of the pictures.")
    if not confirmed and not _confirm():
        print("Nothing was deleted.", file=sys.stderr)
        return 1
    for stored in datasets:
        try:
            storage.remove(stored.dataset)
        except OSError as error:
            print(f"{stored.dataset} cannot be deleted: {error.strerror or error}. Close the program that uses it and try again.",
                  file=sys.stderr)
            return 1
    print(f"Deleted: {', '.join(stored.dataset for stored in datasets)}.")
    return 0


def _confirm() -> bool:
    """The user's answer; no, where there is no terminal."""
    if not sys.stdin.isatty():
        print("There is no terminal to ask on; add --yes to delete without asking.", file=sys.stderr)
        return False
    return input("Delete? [y/N] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
