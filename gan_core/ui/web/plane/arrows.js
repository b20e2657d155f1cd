// Layer: arrows, where the discriminator pushes each fake.

const HEAD = 4, SHORTEST = 2; // CSS pixels

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} fake x, y, x, y ...
 * @param {number[]} push dx, dy of each
 * @param {(x: number) => number} x
 * @param {(y: number) => number} y
 * @param {number} scale CSS pixels for each unit
 * @param {import("./stage.js").Palette} palette
 */
export function drawArrows(context, fake, push, x, y, scale, { dis, card }) {
  context.beginPath();
  for (let i = 0; i < push.length; i += 2) {
    const dx = push[i] * scale, dy = -push[i + 1] * scale, length = Math.hypot(dx, dy);
    if (length < SHORTEST) continue;
    const px = x(fake[i]), py = y(fake[i + 1]), tipX = px + dx, tipY = py + dy, ux = dx / length, uy = dy / length;
    const barb = Math.min(HEAD, length / 2);
    context.moveTo(px, py);
    context.lineTo(tipX, tipY);
    context.moveTo(tipX - barb * (ux + 0.6 * uy), tipY - barb * (uy - 0.6 * ux));
    context.lineTo(tipX, tipY);
    context.lineTo(tipX - barb * (ux - 0.6 * uy), tipY - barb * (uy + 0.6 * ux));
  }
  Object.assign(context, { lineWidth: 2.8, strokeStyle: card, lineJoin: "round", lineCap: "round", globalAlpha: 0.7 });
  context.stroke();
  Object.assign(context, { lineWidth: 1.2, strokeStyle: dis, globalAlpha: 1 });
  context.stroke();
}
