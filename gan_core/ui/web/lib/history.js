// Which frames of a run are kept. The rule is the recorder's; its two numbers come with the snapshot.

/**
 * @template {{ step: number }} T
 * @param {T[]} frames in their order
 * @param {Stream.FrameRule} rule each kept frame's step is `ratio` times the one before or more; the `newest` stay anyway
 */
export function kept(frames, { ratio, newest }) {
  /** @type {T[]} */
  const found = [];
  frames.forEach((frame, i) => {
    const before = found.at(-1);
    if (!before || i >= frames.length - newest || frame.step > Math.max(before.step * ratio, before.step + 1)) found.push(frame);
  });
  return found;
}
