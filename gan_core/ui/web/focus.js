// The keyboard's place on the page. A control that is disabled, hidden or taken away while it has the focus would leave the
// keyboard nowhere; its heir gets it. Who is whose heir is said by those who know; else it is the nearest neighbour.
// After the mouse nothing is moved: then the keys are the page's.

const FOCUSABLE = "button, input, select, textarea, a[href], summary, [tabindex]";
const OVER = "dialog, .toast-wrap"; // what lies over the page and goes away: the focus goes back to where it was before
const MOVES = /^(Tab|Enter|Escape|Arrow.*|Home|End|Page.*)$/; // keys that belong to controls, whoever has the others
const CHANGES = ["disabled", "hidden", "class", "style", "open", "data-place", "data-face"]; // that may hide a control

/** @typedef {{ element: HTMLElement, line: Element[], before: Place | null }} Place a control, its ancestors, the place before */

/** @type {Place | null} that has the focus or is to have it again */
let held = null;
let byKeys = true; // neither mouse nor finger has touched the page since a key last moved something
let due = 0;

/** @type {Record<string, () => (HTMLElement | null)[]>} id -> who may have the focus in its place */
const heirs = {};
/** @type {WeakSet<Element>} where the focus waits */
const waitingRooms = new WeakSet();

/**
 * The first of `next` that can be used gets the focus of `id`; until there is one it waits on the group around it.
 * @param {string} id @param {() => (HTMLElement | null)[]} next
 */
export function passOn(id, next) {
  heirs[id] = next;
}

/** @param {HTMLElement} element */
const canBeUsed = (element) => element.isConnected && element.tabIndex >= 0 && !element.matches(":disabled")
  && element.checkVisibility({ visibilityProperty: true });

/** The focus waits on the group around its control, which must not be a stop by itself. @param {Element[]} line */
function waitingRoom(line) {
  const room = /** @type {HTMLElement | undefined} */ (line.find((one) => one.role === "group" && one.checkVisibility()));
  if (!room) return null;
  room.tabIndex = -1;
  waitingRooms.add(room);
  return room;
}

/** @param {Place} place @returns {HTMLElement | null} */
function heirOf({ element, line, before }) {
  if (canBeUsed(element)) return element;
  const named = heirs[element.id];
  if (named) return named().find((one) => one && canBeUsed(one)) ?? waitingRoom(line);
  if (line.some((one) => one.matches(OVER))) return before && heirOf(before);
  const panel = line.find((one) => one.role === "tabpanel"); // its button switches to another view
  if (panel && !panel.checkVisibility()) return document.querySelector("[role=tab][aria-selected=true]");
  for (const around of line) {
    if (!around.isConnected || !around.checkVisibility()) continue;
    const all = /** @type {HTMLElement[]} */ ([...around.querySelectorAll(FOCUSABLE)]).filter(canBeUsed);
    const after = all.find((one) => element.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING);
    if (all.length) return (element.isConnected ? after : all[0]) ?? all[all.length - 1];
  }
  return null;
}

const isNowhere = () => !document.activeElement || document.activeElement === document.body;

function look() {
  due = 0;
  if (!held || !byKeys || !document.hasFocus()) return;
  const now = document.activeElement, waits = Boolean(now && waitingRooms.has(now));
  if (now !== held.element && !waits && !isNowhere()) return;
  const heir = heirOf(held);
  if (heir && heir !== now) heir.focus();
}

/** @param {FocusEvent} event */
function came({ target }) {
  if (!(target instanceof HTMLElement) || waitingRooms.has(target)) return;
  const line = [];
  for (let one = target.parentElement; one; one = one.parentElement) line.push(one);
  const before = held && held.line.some((one) => one.matches(OVER)) ? held.before : held;
  held = { element: target, line, before: before && { ...before, before: null } };
}

/** Whoever lets go of a control that could be used meant it. @param {FocusEvent} event */
function went({ target, relatedTarget }) {
  if (relatedTarget) return;
  requestAnimationFrame(() => {
    if (held?.element !== target || !isNowhere() || !document.hasFocus()) return;
    if (canBeUsed(held.element)) held = null; else look();
  });
}

/** The focus goes to the first control of a place, or to the place itself where it has none. @param {HTMLElement} place */
export function focusOn(place) {
  const controls = /** @type {HTMLElement[]} */ ([...place.querySelectorAll(FOCUSABLE)]), first = controls.find(canBeUsed);
  if (!first) place.tabIndex = -1;
  (first ?? place).focus();
}

export function watchFocus() {
  addEventListener("pointerdown", () => { byKeys = false; }, true);
  addEventListener("keydown", ({ key }) => { byKeys ||= MOVES.test(key); }, true);
  addEventListener("focusin", came);
  addEventListener("focusout", went);
  new MutationObserver(() => { if (held && byKeys) due ||= requestAnimationFrame(look); })
    .observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: CHANGES });
}
