// Layer: fakes, as discs with a thin edge.

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} flat x, y, x, y ...
 * @param {(x: number) => number} x
 * @param {(y: number) => number} y
 * @param {number} radius
 * @param {import("./stage.js").Palette} palette
 */
export function drawFakes(context, flat, x, y, radius, { gen, card }) {
  context.beginPath();
  for (let i = 0; i < flat.length; i += 2) {
    const px = x(flat[i]), py = y(flat[i + 1]);
    context.moveTo(px + radius, py);
    context.arc(px, py, radius, 0, 2 * Math.PI);
  }
  Object.assign(context, { lineWidth: 1, strokeStyle: card, fillStyle: gen });
  context.stroke();
  context.fill();
}
