"""Makes docs/train.png, a screenshot of the page while a GAN learns. It measures nothing.

    python -m benchmarks.screenshots [--seconds 40] [--dark] [--out docs/train.png]
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.serving import ROOT, serving

LIMIT = 300_000  # bytes, for readers of the README on slow connections


def shoot(url: str, seconds: float, dark: bool) -> bytes:
    """Starts a run, lets it learn, and returns the page as PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US",
                                   color_scheme="dark" if dark else "light").new_page()
        page.goto(url)
        page.wait_for_selector("#btn-start:enabled", timeout=60_000)
        page.click("#btn-start")
        page.wait_for_selector("#run-state[data-state=running]", timeout=60_000)
        page.wait_for_timeout(seconds * 1000)
        return page.screenshot()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40, help="how long the GAN learns before the picture is taken")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "train.png")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(folder) as url:
        shot = shoot(url, args.seconds, args.dark)
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(args.out, optimize=True)
    size = args.out.stat().st_size
    print(f"{args.out}: {picture.width}x{picture.height}, {size:,} bytes")
    if size > LIMIT:
        sys.exit(f"that is more than {LIMIT:,} bytes.")


if __name__ == "__main__":
    main()
