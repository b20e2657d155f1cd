// How real the discriminator finds the fakes of one kept frame, by the generator as it was then: of its very step.
import { meanOpinion, meanShare } from "../lib/belief.js";
import { fetchPoints, frameAddress } from "./source.js";

const MOST = 200; // frames that are remembered
/** @type {Map<string, number | null>} */
const known = new Map();

/**
 * A probability; null where the frame was kept without verdicts, as by older versions, or is no longer kept.
 * @param {{ run: string, seq: number, points: boolean, single: boolean }} frame single: there is no average beside it
 * @returns {Promise<number | null>}
 */
export async function beliefOf(frame) {
  const key = `${frame.run}/${frame.seq}`;
  if (!known.has(key)) {
    const belief = await (frame.points ? ofPoints(frame) : ofPictures(frame)).catch(() => null);
    known.set(key, belief);
    if (known.size > MOST) known.delete(String(known.keys().next().value));
  }
  return known.get(key) ?? null;
}

/** @param {{ run: string, seq: number, single: boolean }} frame */
async function ofPictures({ run, seq, single }) {
  const reply = await fetch(frameAddress({ run, seq, of: single ? "average" : "now" }, { as: "verdicts" }));
  return reply.ok ? meanShare((await reply.json()).fakes) : null;
}

/** @param {{ run: string, seq: number, single: boolean }} frame */
async function ofPoints({ run, seq, single }) {
  const frame = await fetchPoints(frameAddress({ run, seq, of: "now" })), fakes = frame.now ?? (single ? frame : null);
  const cells = Uint8Array.from(atob(frame.heat.values), (byte) => byte.charCodeAt(0));
  return fakes && meanOpinion(fakes.fake, cells, frame.heat.size, frame.view);
}
