// Where a frame comes from: the stream, or the route of the history.
import { address } from "../address.js";
import { store } from "../store.js";

/** @typedef {import("./samples.js").FrameRequest} FrameRequest */

/** Only the newest average comes with the stream. @param {FrameRequest} request */
export const sourceOf = ({ live, of, src, run, seq }) =>
  (live && of === "average" && src) || address("frame", { run: run ?? "", seq, of });

/** @param {FrameRequest} request @returns {Promise<Stream.Points | null>} null of pictures */
export const pointsOf = async (request) => request.points || (store.data === "points" ? fetchPoints(sourceOf(request)) : null);

/** One frame of points of the history. @param {string} src @returns {Promise<Stream.Points>} */
async function fetchPoints(src) {
  const reply = await fetch(src);
  if (!reply.ok) throw new Error(src);
  return reply.json();
}
