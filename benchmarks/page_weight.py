"""Requests and bytes of a first and of a second visit, counted by a real browser.

    python -m benchmarks.page_weight [--root OTHER_CHECKOUT] [--rounds 5] [--out FILE]

Each round is a browser with an empty cache; medians are printed. Bytes are those on the wire, headers included. A resource from
the browser's cache is not a request. A visit ends when the charts are drawn, the sliders have a picture, and no request came for
a second. The event stream is not counted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, sync_playwright

from benchmarks.serving import ROOT, serving

OURS = "/gradio_api/gan/"
READY = (".gan-plotbox .gan-empty[hidden]", "#latent-image[src]:not([hidden])", "#data-preview[data-state=ready]")


def visit(context: BrowserContext, url: str) -> dict[str, Any]:
    """Requests, bytes and milliseconds of one visit. `page`: bytes of the page itself; `ours`: those of this project's routes."""
    page = context.new_page()
    browser = context.new_cdp_session(page)
    browser.send("Network.enable")
    addresses: dict[str, str] = {}
    cached: set[str] = set()
    finished: dict[str, float] = {}
    browser.on("Network.requestWillBeSent", lambda event: addresses.setdefault(event["requestId"], event["request"]["url"]))
    browser.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    browser.on("Network.loadingFinished", lambda event: finished.setdefault(event["requestId"], event["encodedDataLength"]))

    def response(event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            cached.add(event["requestId"])

    browser.on("Network.responseReceived", response)
    began = time.monotonic()
    page.goto(url)
    page.wait_for_selector("#run-state:not([data-state=loading])")
    alive = time.monotonic() - began
    for selector in READY:
        page.wait_for_selector(selector, state="attached", timeout=60_000)
    ready = time.monotonic() - began
    known = -1
    while known != len(addresses):
        known = len(addresses)
        page.wait_for_timeout(1000)
    page.close()
    requests = [(addresses[key], size) for key, size in finished.items()
                if key not in cached and addresses[key].startswith("http")]
    ours = [size for address, size in requests if OURS in address]
    return {"requests": len(requests), "bytes": round(sum(size for _, size in requests)),
            "page": round(sum(size for address, size in requests if address == url)),
            "requests of ours": len(ours), "bytes of ours": round(sum(ours)),
            "ms to the state": round(1000 * alive), "ms to all": round(1000 * ready)}


def median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def measure(root: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Medians of the first and the second visit; another browser has visited the server before."""
    with tempfile.TemporaryDirectory() as folder, serving(folder, root) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        visit(browser.new_context(), url)
        first, second = [], []
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            first.append(visit(context, url))
            second.append(visit(context, url))
            context.close()
        browser.close()
    return {"first visit": median(first), "second visit": median(second)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    figures = measure(options.root.resolve(), options.rounds)
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1))
    columns = list(next(iter(figures.values())))
    print(" | ".join(["", *columns]))
    for name, row in figures.items():
        print(" | ".join([name, *(f"{row[column]:,}" for column in columns)]))


if __name__ == "__main__":
    main()
