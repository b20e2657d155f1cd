// Layer: the generator's bent grid, lines of z as they lie among the points.

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} flat x, y of size * size points
 * @param {number} size
 * @param {(x: number) => number} x
 * @param {(y: number) => number} y
 * @param {string} colour
 */
export function drawGrid(context, flat, size, x, y, colour) {
  context.beginPath();
  for (const along of [false, true]) {
    for (let line = 0; line < size; line++) {
      for (let k = 0; k < size; k++) {
        const i = 2 * (along ? k * size + line : line * size + k);
        if (k) context.lineTo(x(flat[i]), y(flat[i + 1])); else context.moveTo(x(flat[i]), y(flat[i + 1]));
      }
    }
  }
  Object.assign(context, { lineWidth: 0.8, strokeStyle: colour, globalAlpha: 0.5, lineJoin: "round" });
  context.stroke();
  context.globalAlpha = 1;
}
