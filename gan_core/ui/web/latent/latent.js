// The slider bank: z = seed's z + sum of a_k d_k, sent as float32, and the picture and verdict that come back.
import { h } from "../dom.js";
import { generatorShown, hasBoth } from "../generator.js";
import { LatentPoint } from "../lib/latent.js";
import { Newest } from "../lib/newest.js";
import { playground } from "../playground.js";
import { emit, hasOwnNetworks, isIn, on, store } from "../store.js";
import { number, t } from "../words.js";
import { Bank } from "./bank.js";
import { VerdictMemory } from "./memory.js";
import { DrivenPicture } from "./picture.js";
import { NotReady, Refused, fetchDirections, fetchFake, fetchPicture, fetchSeed, turnTo } from "./service.js";
import { BankSettings } from "./settings.js";

const FIRST_SEED = 7;
const AGAIN_MS = 1500; // after a picture that could not be shown

/** @type {import("../mount.js").Part} */
export function latent(root, signal) {
  new Latent(root, signal);
}

class Latent {
  #signal;
  #point = new LatentPoint();
  #picture = new DrivenPicture();
  #bank = new Bank({
    get: (k) => this.#point.get(k),
    set: (k, value, when) => {
      this.#point.set(k, value);
      this.#ask(when);
    },
  }, (dragging) => {
    this.#dragging = dragging;
    if (!dragging) this.#refresh();
  });
  #settings = new BankSettings({
    plant: (seed) => { this.#plant(seed); },
    changed: (when) => this.#ask(when),
    center: (when) => this.#center(when),
    toggleRaw: () => {
      this.#point.toggleRaw();
      this.#build();
    },
  });
  #seed = FIRST_SEED;
  /** @type {string | null} whose generator is driven */
  #run = null;
  /** @type {{ run: string, version: number } | null} of the directions that the bank has */
  #source = null;
  #dragging = false;
  #memory = new VerdictMemory();
  #position = new Newest((when) => this.#drive(when));
  #timer = 0;

  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    this.#signal = signal;
    this.#settings.showSeed(this.#seed);
    root.append(h("div", { class: "gan-latent" }, this.#picture.element,
      h("div", { class: "gan-desk" }, this.#settings.element, this.#bank.element)));
    on("frame", () => this.#settings.renameClasses(), signal);
    on("snapshot latent", () => { this.#refresh(); }, signal);
    on("status moment", () => this.#describe(), signal);
    on("generator", () => { this.#describe(); this.#ask(); }, signal);
    on("fake", (index) => this.#take(index), signal);
    if (store.connection === "open") this.#refresh();
  }

  /** A picture of the grid was pressed: the sliders begin at its z. @param {number} index */
  async #take(index) {
    const run = this.#run, when = performance.now(), fake = run ? await fetchFake(run, index).catch(() => null) : null;
    if (!fake || this.#run !== run) return;
    this.#settings.showFake(index, fake.label);
    this.#restart(fake.z, when);
  }

  /** @param {Float32Array} base @param {number} when */
  #restart(base, when) {
    this.#point.restart(base);
    this.#bank.draw();
    this.#ask(when);
  }

  /** A new generator: a new picture at once, new directions only when no hand is on a slider. */
  async #refresh() {
    if (!store.run || !store.latent?.live) { this.#blank(); return; }
    const run = this.#run = turnTo(store.run);
    if (!this.#dragging) {
      try {
        const reply = await fetchDirections(run);
        if (this.#run !== run || this.#dragging) return;
        await this.#adopt(run, reply);
      } catch (error) {
        if (this.#run !== run) return;
        if (error instanceof NotReady) this.#later(error.ms); else this.#blank();
        return;
      }
    }
    this.#describe();
    this.#ask();
  }

  /** @param {string} run @param {Awaited<ReturnType<typeof fetchDirections>>} reply */
  async #adopt(run, { version, latent_dim, classes, directions }) {
    this.#settings.showClasses(classes || 0);
    const other = this.#source?.run !== run;
    if (!other && this.#source?.version === version && this.#point.dim === latent_dim) return;
    const changed = this.#point.adopt(directions, latent_dim), fresh = !this.#point.base;
    if (fresh) {
      const base = await fetchSeed(run, this.#seed);
      if (this.#run !== run) return; // another run was shown meanwhile, and its z is not of this length
      this.#point.restart(base);
    }
    this.#source = { run, version };
    if (other || changed || fresh) this.#build();
  }

  #build() {
    this.#bank.build(this.#run, this.#point.count, this.#point.raw);
    this.#settings.showMode(this.#point.raw);
    this.#describe();
  }

  /** No generator to drive. */
  #blank() {
    const own = hasOwnNetworks(), away = store.connection !== "open", same = this.#source?.run === store.run;
    this.#picture.say(own ? "" : t(away ? "empty.server" : isIn("starting") ? "latent.starting" : "latent.empty"));
    this.#picture.showSentence(this.#picture.isEmpty || !store.run || !same);
    if (same) return;
    this.#picture.clear();
    this.#run = this.#source = null;
    // Sliders of another run's generator stay while this one is about to have its own; nothing jumps at every Start.
    if (isIn("starting", "running") && !own) return;
    this.#bank.build(null, 0, this.#point.raw);
    this.#settings.describe("");
  }

  #describe() {
    const { dim, raw, count } = this.#point, many = t(raw ? "latent.raw" : "latent.directions", { n: count });
    // The sliders have no past: beside a past moment of the samples they say that they are of another one.
    const when = store.moment !== null ? t("samples.at_step", { step: number(store.status?.step ?? 0) })
      : t(isIn("running") ? "latent.live" : "latent.still");
    const of = hasBoth() ? [t(`generator.${generatorShown()}`)] : [];
    this.#settings.describe(dim ? [many, ...of, when].join(" \u00b7 ") : "");
  }

  /** @param {number} seed */
  async #plant(seed) {
    const run = this.#run, when = performance.now();
    this.#seed = seed;
    this.#settings.showSeed(seed);
    if (!run) this.#point.base = null; // the next run's sliders begin at it
    const base = run && await fetchSeed(run, seed).catch(() => null);
    if (base && this.#run === run) this.#restart(base, when);
  }

  /** @param {number} when */
  #center(when) {
    if (!this.#point.base) return;
    this.#point.center();
    this.#bank.draw();
    this.#ask(when);
  }

  /** When the position was taken, for the latency. */
  #ask(when = performance.now()) { this.#position.ask(when); }

  /** The picture of where the sliders stand, once they are this run's. @param {number} when */
  async #drive(when) {
    const run = this.#run, { base } = this.#point;
    if (!run || !base || this.#source?.run !== run || this.#signal.aborted) return;
    const options = { ...this.#settings.options, of: generatorShown() }, z = this.#point.z(base);
    try {
      const reply = await fetchPicture(run, z, options);
      if (this.#run !== run) return;
      const before = this.#memory.before(JSON.stringify([run, options, ...z]), reply.step, reply.verdict);
      await this.#picture.show({ ...reply, before });
      if (this.#run !== run) { this.#picture.clear(); return; }
      emit("driven", reply.point && { run, point: reply.point });
      playground.sliderLatencyMs = performance.now() - when;
    } catch (error) {
      if (this.#run !== run) return;
      if (error instanceof Refused) this.#complain(error.message);
      else this.#later(error instanceof NotReady ? error.ms : AGAIN_MS);
    }
  }

  /** @param {number} ms */
  #later(ms) {
    if (this.#picture.isEmpty) this.#picture.say(t("latent.waking"));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { if (this.#source?.run === this.#run) this.#ask(); else this.#refresh(); }, ms);
  }

  /** @param {string} message */
  #complain(message) {
    if (this.#picture.isEmpty) this.#picture.say(t("latent.error", { message }));
  }
}
