// The store: what each event of the stream does to it, and who is told.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { emit, inForce, isIn, on, reducers, store } from "../../gan_core/ui/web/store.js";

const STATUS = { state: "running", step: 10, tuned: { lr_d: 0.1 } };
const SNAPSHOT = {
  run: "a", kind: "run", origin: "", config: { lr_d: 0.2, lr_g: 0.3 }, status: STATUS, controls: { pause: true },
  worker: "busy", silent: 0, decayed: {}, active: "a", series: { step: [1], d_loss: [0.5] }, quality: [], floor: null, marks: [],
  data: "images", frame: null, real: "R", about: null, latent: { live: 1, latent_dim: 3 },
  history: [{ seq: 1, step: 100 }], frame_rule: { ratio: 1.08, newest: 1 },
};

beforeEach(() => reducers.snapshot(structuredClone(SNAPSHOT)));

test("a snapshot replaces everything, and nothing of it is shared", () => {
  const snapshot = structuredClone(SNAPSHOT);
  store.pending = "start";
  store.marks.push({ step: 1, kind: "tune", changes: {} });
  reducers.snapshot(snapshot);
  reducers.metrics({ series: { step: [2], d_loss: [0.4] } });
  assert.deepEqual([store.run, store.pending, store.marks, snapshot.series.step], ["a", "", [], [1]]);
});

test("a moment that is looked at stays over a snapshot of the same run that has kept it", () => {
  const again = (changes) => {
    store.moment = 100;
    reducers.snapshot({ ...structuredClone(SNAPSHOT), ...changes });
    return store.moment;
  };
  assert.deepEqual([again({}), again({ run: "b" }), again({ history: [{ seq: 2, step: 101 }] })], [100, null, null]);
});

test("rows, measurements and marks are added at the end", () => {
  reducers.metrics({ series: { step: [2], d_loss: [null] } });
  reducers.quality({ quality: [{ step: 2, fd: 1 }], floor: { fd: 0.1 } });
  reducers.quality({ quality: [{ step: 3, fd: 2 }], floor: null });
  reducers.marks({ marks: [{ step: 2, kind: "tune", changes: {} }] });
  assert.deepEqual(store.series, { step: [1, 2], d_loss: [0.5, null] });
  assert.deepEqual([store.quality.length, store.floor, store.marks.length], [2, { fd: 0.1 }, 1]);
});

test("a frame joins the history once, which is thinned by the rule that came with the snapshot", () => {
  reducers.frame({ seq: 2, step: 101, src: "x" });
  reducers.frame({ seq: 2, step: 101, src: "x" });
  assert.deepEqual(store.history, [{ seq: 1, step: 100 }, { seq: 2, step: 101 }]);
  reducers.frame({ seq: 3, step: 102, src: "y" });
  assert.deepEqual(store.history, [{ seq: 1, step: 100 }, { seq: 3, step: 102 }], "101 is no longer among the newest");
  assert.equal(store.real, "R", "a frame without real pictures leaves those there are");
});

test("points make the data points, and bring their real ones", () => {
  reducers.frame({ seq: 2, step: 101, points: {}, real: { points: [], view: [0, 1, 0, 1] }, about: { count: 3, shape: [2] } });
  assert.deepEqual([store.data, store.about.count, store.real.view], ["points", 3, [0, 1, 0, 1]]);
});

test("another state ends the waiting for a start; a heartbeat does not", () => {
  const event = { controls: {}, worker: "busy", silent: 0, decayed: { lr_d: 0.1 }, active: "a" };
  store.pending = "start";
  reducers.status({ ...event, status: { ...STATUS, step: 11 } });
  assert.equal(store.pending, "start");
  reducers.status({ ...event, status: { ...STATUS, state: "paused" } });
  assert.equal(store.pending, "");
});

test("what is in force is the tuned value, else the run's own", () => {
  assert.deepEqual([inForce("lr_d"), inForce("lr_g"), inForce("none")], [0.1, 0.3, undefined]);
  assert.deepEqual([isIn("paused", "running"), isIn("paused")], [true, false]);
});

test("listeners hear the events they name until their signal ends", () => {
  const life = new AbortController(), heard = [];
  on("one two", (detail) => heard.push(detail), life.signal);
  emit("one", 1);
  emit("two", 2);
  emit("three", 3);
  life.abort();
  emit("one", 4);
  assert.deepEqual(heard, [1, 2]);
});

test("a listener that breaks does not keep the others from hearing", () => {
  const error = mock.method(console, "error", () => {}), heard = mock.fn();
  on("broken", () => { throw new Error("broken"); });
  on("broken", heard);
  emit("broken");
  assert.deepEqual([heard.mock.callCount(), error.mock.callCount()], [1, 1]);
  error.mock.restore();
});
