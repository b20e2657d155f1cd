// The store: the last snapshot with everything that came after it, and who is told when it changes. Only stream.js feeds it.
// Events: those of the stream, and "connection" (events come by another way, or not at all), "pending", "page" (gradio has
// changed the page), "colours", "driven", "moment" (another step of the past is looked at, or none), "live" (the newest is to be
// looked at again), "generator" (pictures are of the other one of the two), "present" (presentation mode is on, or off),
// "verdicts" (those of the grid on the page, or null) and "nearest" (what was found for it).
import { kept } from "./lib/history.js";
import { append, copied, thinned } from "./lib/series.js";

/**
 * @typedef {object} State
 * @property {"connecting" | "open" | "gone"} connection
 * @property {boolean} polled whether events come by short requests, because something holds the stream back
 * @property {string | null} run id of the shown run
 * @property {string} kind "none", "run", "notebook", "starter", "reading" or "remote"
 * @property {string} origin
 * @property {string} name of the run
 * @property {string} preset that the run began with, or ""
 * @property {Record<string, any> | null} config as the run began
 * @property {Record<string, string>} dataset_label what people call the run's data set, by language
 * @property {Stream.Status | null} status
 * @property {Record<string, boolean>} controls
 * @property {string} worker
 * @property {number} silent seconds
 * @property {Record<string, number>} decayed values in force of the settings that fall with the step
 * @property {import("./lib/series.js").Columns} series
 * @property {"images" | "points"} data
 * @property {Stream.Frame | null} frame the newest
 * @property {string | Stream.RealPoints | null} real
 * @property {Stream.About | null} about
 * @property {Stream.Latent | null} latent
 * @property {Stream.Kept[]} history
 * @property {Stream.FrameRule} frame_rule
 * @property {string | null} active id of the active run
 * @property {Stream.ActiveRun | null} active_run its name, state and step
 * @property {string[]} ending ids of the runs that are being saved and ended
 * @property {"" | "start"} pending what was pressed here and has not been answered
 * @property {Stream.Measurement[]} quality
 * @property {Record<string, number> | null} floor
 * @property {Stream.Mark[]} marks
 * @property {Stream.GivenUp | null} given_up what the run had done after the step to which it was last taken back
 * @property {number | null} moment the step of the past that is looked at; null: live
 */

/** @type {State} */
export const store = {
  connection: "connecting", polled: false, run: null, kind: "none", origin: "", name: "", preset: "", config: null,
  dataset_label: {}, status: null, controls: {},
  worker: "none", silent: 0, decayed: {}, series: { step: [] }, data: "images", frame: null, real: null, about: null,
  latent: null, history: [], frame_rule: { ratio: 1, newest: 0 }, active: null, active_run: null, ending: [], pending: "",
  quality: [], floor: null, marks: [], given_up: null, moment: null,
};

/** @type {{ names: string[], listener: (detail?: any) => void }[]} */
let listeners = [];

/**
 * @param {string} names of events, separated by spaces
 * @param {(detail?: any) => void} listener
 * @param {AbortSignal} [signal] ends the listening
 */
export function on(names, listener, signal) {
  const entry = { names: names.split(" "), listener };
  listeners.push(entry);
  signal?.addEventListener("abort", () => { listeners = listeners.filter((one) => one !== entry); });
}

/** @param {string} name @param {unknown} [detail] */
export function emit(name, detail) {
  for (const { names, listener } of [...listeners]) {
    if (!names.includes(name)) continue;
    try { listener(detail); } catch (error) { console.error(`gan: ${name}`, error); } // one broken part must not stop the others
  }
}

/** A config field as it is in force now: as tuned, else as the run began. @param {string} name */
export function inForce(name) {
  const tuned = store.status?.tuned || {};
  return name in tuned ? tuned[name] : store.config?.[name];
}

/** @param {...string} states */
export const isIn = (...states) => Boolean(store.status && states.includes(store.status.state));
/** Whether a process of this folder trains the run, or did: it takes commands then. */
export const isSteered = () => store.kind === "run" || store.kind === "notebook";
/** Whether the networks are a notebook's own: no page can build them. */
export const hasOwnNetworks = () => store.config?.networks === "notebook";
/** Whether networks or pictures are a notebook's own, so that no other process can go on with the run. */
export const isNotebooksOwn = () => hasOwnNetworks() || store.config?.dataset === "notebook";

/**
 * What each event of the stream does to the store.
 * @type {{ [name in keyof Stream.Events]: (event: Stream.Events[name]) => void }}
 */
export const reducers = {
  snapshot(event) {
    const { run, name, preset, kind, origin, config, dataset_label, status, worker, frame, real, latent, active } = event;
    const { decayed } = event;
    // Of the same run, after a lost connection or somebody's resume: whoever looks at a moment that is still kept stays there.
    const isKept = run === store.run && event.history?.some(({ step }) => step === store.moment);
    Object.assign(store, {
      run, name, preset, kind, origin, config, dataset_label, status, worker, frame, real, latent, active,
      decayed, active_run: event.active_run || null, ending: event.ending || [],
      frame_rule: event.frame_rule, controls: event.controls || {}, silent: event.silent || 0,
      data: event.data || "images", about: event.about || null,
      series: copied(event.series), history: [...(event.history || [])], quality: [...(event.quality || [])],
      floor: event.floor || null, marks: [...(event.marks || [])], given_up: event.given_up || null, pending: "",
      moment: isKept ? store.moment : null,
    });
  },
  status(event) {
    const before = store.status?.state;
    Object.assign(store, event);
    if (store.status && store.status.state !== before) store.pending = "";
  },
  metrics(event) {
    append(store.series, event.series);
    store.series = thinned(store.series);
  },
  frame(event) {
    store.frame = event;
    store.data = event.points ? "points" : "images";
    if (event.real) store.real = event.real; // comes with a run's first frame
    if (event.about) store.about = event.about;
    if (!store.history.some(({ seq }) => seq === event.seq)) store.history.push({ seq: event.seq, step: event.step });
    store.history = kept(store.history, store.frame_rule);
  },
  latent(event) { store.latent = event; },
  quality(event) {
    store.quality.push(...event.quality);
    if (event.floor) store.floor = event.floor;
  },
  marks(event) { store.marks.push(...event.marks); },
};
