// How large a picture is shown.

const FILLS = 0.8; // of the room; less than that is a waste of it

/**
 * The largest whole multiple of the picture's pixels, counted in the screen's own pixels, that fits; never below 1.
 * @param {number} room in CSS pixels
 * @param {number} native the picture's own pixels
 * @param {number} ratio screen pixels in a CSS pixel
 */
export const wholeMultiple = (room, native, ratio) => (Math.max(1, Math.floor((room * ratio) / native)) * native) / ratio;

/**
 * CSS pixels for each pixel of the picture: a whole multiple where one fits and fills most of the room, else as large as fits.
 * @param {number} room
 * @param {number} native
 * @param {number} ratio
 */
export function zoom(room, native, ratio) {
  const whole = wholeMultiple(room, native, ratio);
  return (whole <= room && whole >= FILLS * room ? whole : room) / native;
}
