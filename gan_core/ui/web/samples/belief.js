// How real the discriminator finds the fakes of one kept frame, by the generator as it was then: of its very step.
import { meanOpinion, meanShare } from "../lib/belief.js";
import { cellsOf } from "../lib/heat.js";
import { fetchPoints, frameAddress } from "./source.js";

const MOST = 200; // frames that are remembered
/** @type {Map<string, Promise<number | null>>} */
const known = new Map();

/**
 * A probability; null where the frame was kept without verdicts, as by older versions, or is no longer kept.
 * @param {{ run: string, seq: number, points: boolean, single: boolean }} frame single: there is no average beside it
 * @returns {Promise<number | null>}
 */
export function beliefOf(frame) {
  const key = `${frame.run}/${frame.seq}`, belief = known.get(key) ?? asked(frame, key);
  known.set(key, belief);
  if (known.size > MOST) known.delete(String(known.keys().next().value));
  return belief;
}

/** @param {{ run: string, seq: number, points: boolean, single: boolean }} frame @param {string} key */
const asked = (frame, key) => (frame.points ? ofPoints(frame) : ofPictures(frame)).catch(() => {
  known.delete(key); // a torn connection, for one: another time it is asked again
  return null;
});

/** @param {{ run: string, seq: number, single: boolean }} frame */
async function ofPictures({ run, seq, single }) {
  const reply = await fetch(frameAddress({ run, seq, of: single ? "average" : "now" }, { as: "verdicts" }));
  return reply.ok ? meanShare((await reply.json()).fakes) : null;
}

/** @param {{ run: string, seq: number, single: boolean }} frame */
async function ofPoints({ run, seq, single }) {
  const frame = await fetchPoints(frameAddress({ run, seq, of: "now" })), fakes = frame.now ?? (single ? frame : null);
  return fakes && meanOpinion(fakes.fake, cellsOf(frame.heat.values), frame.heat.size, frame.view);
}
