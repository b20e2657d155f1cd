// The slider bank's requests: a seed's z, the directions of a run, the picture of a z.
import { address } from "../address.js";

const WAKING_MS = 500, AWAY_MS = 1500;

/** The service is not there yet: torch is being imported, or the server is away. Ask again after `ms`. */
export class NotReady extends Error {
  /** @param {number} ms */
  constructor(ms) {
    super(`Not ready for ${ms} ms.`);
    this.ms = ms;
  }
}
/** The request was refused; `message` says why. */
export class Refused extends Error {}

/** @param {string} url @param {RequestInit} [options] */
async function ask(url, options) {
  const reply = await fetch(url, options).catch(() => null);
  if (!reply || reply.status === 503) throw new NotReady(reply ? WAKING_MS : AWAY_MS);
  if (!reply.ok) throw new Refused((await reply.text()).slice(0, 200));
  return reply;
}

/** @param {string} run @param {number} seed @returns {Promise<Float32Array>} */
export async function fetchSeed(run, seed) {
  return Float32Array.from((await (await ask(address("seed", { run, seed }))).json()).z);
}

/**
 * z and class of one picture of the run's grid.
 * @param {string} run
 * @param {number} fake
 * @returns {Promise<{ z: Float32Array, label: number }>}
 */
export async function fetchFake(run, fake) {
  const { z, label } = await (await ask(address("seed", { run, fake }))).json();
  return { z: Float32Array.from(z), label };
}

/** @param {string} run @returns {Promise<{ version: number, latent_dim: number, classes: number, directions: number[][] }>} */
export async function fetchDirections(run) {
  return (await ask(address("directions", { run }))).json();
}

let flight = new AbortController(), driven = "";

/**
 * From now on pictures are of this run: a request for another's is given up, so that it holds up nothing.
 * @param {string} run
 */
export function turnTo(run) {
  if (run !== driven) {
    flight.abort();
    flight = new AbortController();
  }
  return driven = run;
}

/**
 * The picture of z and the verdict on it; `point`: where it lies, for points.
 * @param {string} run
 * @param {Float32Array} z
 * @param {{ psi: string, label?: string, of: string }} options
 */
export async function fetchPicture(run, z, options) {
  const body = new Blob([/** @type {BlobPart} */ (z.buffer)]), headers = { "Content-Type": "application/octet-stream" };
  const reply = await ask(address("z", { run, ...options }), { method: "POST", body, headers, signal: flight.signal });
  const verdict = Number(reply.headers.get("X-Gan-Verdict"));
  const step = Number(reply.headers.get("X-Gan-Step"));
  const point = (reply.headers.get("X-Gan-Point") || "").split(",").map(Number);
  return { picture: await reply.blob(), verdict, step, point: point.length === 2 ? point : null };
}
