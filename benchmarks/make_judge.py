"""Fits the bundled classifier of digits, on real ones only: python -m benchmarks.make_judge

Trains gan_core/evaluation/classifier.py's CNN on 4,000 of the 5,000 digits, writes it, prints its accuracy on the other 1,000.
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
    train, held_out = stratified_split(labels)
    classifier = train_classifier(images[train], labels[train], args.epochs,
                                  report=lambda epoch, loss: print(f"epoch {epoch}: {loss:.3f}"))
    save_classifier(classifier, args.out)
    score = accuracy(load_classifier(args.out), images[held_out], labels[held_out])
    print(f"{args.out}: {args.out.stat().st_size:,} bytes, accuracy {score:.1%} on digits held out")


if __name__ == "__main__":
    main()
