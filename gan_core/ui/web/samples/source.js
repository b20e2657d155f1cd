// Where a frame comes from, the stream or the route of the history, and what is said of a grid.
import { address } from "../address.js";
import { hasBoth } from "../generator.js";
import { store } from "../store.js";
import { number, t } from "../words.js";

/** @typedef {import("./samples.js").FrameRequest} FrameRequest */

/**
 * @param {{ run: string | null, seq: number, of: string }} frame
 * @param {Record<string, string>} [more] of the query
 */
export const frameAddress = ({ run, seq, of }, more = {}) => address("frame", { run: run ?? "", seq, of, ...more });

/** Only the newest average comes with the stream. @param {FrameRequest} request */
export const sourceOf = (request) => (request.live && request.of === "average" && request.src) || frameAddress(request);

/** @param {FrameRequest} request @returns {Promise<Stream.Points | null>} null of pictures */
export const pointsOf = async (request) => request.points || (store.data === "points" ? fetchPoints(sourceOf(request)) : null);

/** One frame of points of the history. @param {string} src @returns {Promise<Stream.Points>} */
export async function fetchPoints(src) {
  const reply = await fetch(src);
  if (!reply.ok) throw new Error(src);
  return reply.json();
}

/**
 * A grid in words: how many fakes, by which generator, at which step.
 * @param {number} n @param {string} of @param {number} step
 */
export const gridInWords = (n, of, step) => t(hasBoth() ? `samples.alt_${of}` : "samples.alt", { n, step: number(step) });
