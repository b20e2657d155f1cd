// The ids of events, boot.run.number: a start of the server, a run, and a number that grows. A run's id may hold dots.

/** @param {string} id */
function parts(id) {
  const last = id.lastIndexOf(".");
  return { place: id.slice(0, last), number: Number(id.slice(last + 1)) };
}

/**
 * Whether an event is to be taken in: the stream and the answers to requests may bring the same one, in any order.
 * @param {string} id
 * @param {string} cursor id of the last event that was taken in, or ""
 * @param {boolean} whole whether it is a snapshot, which alone may be of another run, or of a server that began again
 */
export function isNews(id, cursor, whole) {
  const event = parts(id), known = parts(cursor);
  return cursor && event.place === known.place ? event.number > known.number : whole;
}
