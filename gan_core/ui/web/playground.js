// window.ganPlayground: what tests and other programs may read of the page.
import { emit, on, store } from "./store.js";
import { showRun } from "./stream.js";

let shownAt = 0;

export const playground = {
  state: "loading",
  step: 0,
  frames: 0,
  run: /** @type {string | null} */ (null),
  sliderLatencyMs: /** @type {number | null} */ (null),
  /** Milliseconds since the newest frame was drawn. */
  get lastFrameAgeMs() { return shownAt ? performance.now() - shownAt : null; },
  store, on, emit, showRun,
};

/** A frame that came by the stream is drawn. */
export function frameShown() {
  playground.frames += 1;
  shownAt = performance.now();
}

for (const name of ["snapshot", "status", "metrics", "frame", "latent", "quality", "marks"]) {
  on(name, () => {
    playground.state = store.status ? store.status.state : "none";
    playground.step = store.status ? store.status.step : 0;
    playground.run = store.run;
  });
}
