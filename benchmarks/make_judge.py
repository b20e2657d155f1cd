"""The judge that is shipped, from real digits only: python -m benchmarks.make_judge

Fits gan_core/evaluation's CNN on 4,000 of the 5,000 digits, prints its accuracy on the other 1,000 and writes its weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from gan_core.data.digits import load
from gan_core.evaluation.classifier import (
    DIGITS_CLASSIFIER,
    accuracy,
    load_classifier,
    save_classifier,
    stratified_split,
    train_classifier,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=DIGITS_CLASSIFIER)
    args = parser.parse_args()
    torch.set_num_threads(1)
    images, labels = (torch.from_numpy(part) for part in load())
    known, held_out = stratified_split(labels)
    classifier = train_classifier(images[known], labels[known], args.epochs,
                                  report=lambda epoch, loss: print(f"epoch {epoch}: {loss:.3f}"))
    save_classifier(classifier, args.out)
    right = accuracy(load_classifier(args.out), images[held_out], labels[held_out])
    print(f"{args.out}: {args.out.stat().st_size:,} bytes, right on {right:.1%} of digits it has never seen")


if __name__ == "__main__":
    main()
