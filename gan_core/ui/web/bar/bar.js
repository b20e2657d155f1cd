// The bar on top: state, step and facts of the shown run, the banner under it, language and colours.
import { control } from "../control.js";
import { keepForm } from "../data/kept_form.js";
import { h, setAttribute, setLive, setText, smallButton } from "../dom.js";
import { clock } from "../lib/numbers.js";
import { presentButton } from "../present.js";
import { remember } from "../storage.js";
import { isIn, on, store } from "../store.js";
import { showRun } from "../stream.js";
import { keysButton } from "../transport/keys_list.js";
import { language, number, runTitle, t } from "../words.js";
import { bannerState, noticeKey } from "./banner.js";
import { machine, machineHelp } from "./machine.js";
import { pillState } from "./pill.js";
import { skipLinks } from "./skip.js";

/** @type {import("../mount.js").Part} */
export function bar(root, signal) {
  const pill = pillView(), shown = shownView(), facts = factsView(), notice = noticeView(), colours = coloursButton();
  root.append(
    skipLinks(),
    h("div", { class: "gan-bar" }, h("h1", {}, t("bar.title")), pill.element, shown.element, facts.element,
      h("span", { class: "gan-space" }),
      h("div", { class: "gan-row" }, presentButton(signal), colours.element, keysButton(), languageButton())),
    notice.element);
  const draw = () => {
    pill.draw();
    shown.draw();
    facts.draw();
    notice.draw();
  };
  on("snapshot status connection pending page marks", draw, signal);
  on("colours", colours.draw, signal);
  draw();
  colours.draw();
}

const USUAL_STATES = /** @type {const} */ (["starting", "running", "paused", "saving", "finished", "stopped"]);

function pillView() {
  // Unseen, the words that a run usually has: what stands beside the pill stays where it is.
  const usual = USUAL_STATES.map((state) => h("span", { "aria-hidden": "true" }, t(`states.${state}`)));
  const word = h("span"), words = h("span", { class: "gan-room gan-words" }, word, ...usual);
  const element = h("span", { id: "run-state", class: "gan-pill", role: "status", "data-state": "loading" },
    h("i", { class: "gan-dot" }), words);
  return {
    element,
    draw() {
      const { name, look, text } = pillState();
      element.dataset.state = name;
      element.dataset.look = look;
      document.documentElement.dataset.look = look;
      setText(word, text);
      const polled = store.polled && store.connection === "open";
      element.classList.toggle("gan-polled", polled);
      setAttribute(element, "title", polled ? t("bar.polled") : null);
    },
  };
}

/** Which run this is, and the way to the one that trains, where that is another. */
function shownView() {
  const name = h("b", { id: "run-name" });
  const back = smallButton(t("bar.to_active"), () => showRun(null), { id: "btn-to-active", hidden: true });
  return {
    element: h("span", { class: "gan-shown" }, name, back),
    draw() {
      const { run, active } = store;
      setLive(name, runTitle(run, store));
      name.title = run ? store.name : "";
      back.hidden = !active || active === run;
    },
  };
}

function factsView() {
  const step = h("b", { id: "run-step" }, "0"), images = h("b", { class: "w7" }, "0"), speed = h("b", { class: "w5" }, "0");
  const elapsed = h("b", { class: "w5" }, "00:00"), computer = h("span", { class: "gan-machine" });
  const element = h("div", { class: "gan-facts", role: "group", "aria-label": t("bar.facts") },
    h("span", {}, t("bar.step"), " ", step), h("span", { class: "gan-2nd" }, t("bar.images"), " ", images),
    h("span", {}, speed, " ", t("bar.speed")), h("span", { title: t("bar.elapsed") }, elapsed), computer);
  return {
    element,
    draw() {
      const status = store.status || /** @type {Partial<Stream.Status>} */ ({});
      setLive(step, number(status.step || 0));
      setLive(images, number(status.images || 0));
      setLive(speed, number(isIn("running") ? status.speed || 0 : 0));
      setLive(elapsed, clock(status.elapsed));
      setLive(computer, machine(status));
      const help = machineHelp(status);
      if (computer.title !== help) computer.title = help;
    },
  };
}

function noticeView() {
  let dismissed = "";
  const sentence = h("span");
  const stop = smallButton(t("banner.stop"), () => { control("stop"); }, { hidden: true });
  const dismiss = smallButton(t("banner.dismiss"), () => { dismissed = noticeKey(); draw(); }, { hidden: true });
  const element = h("div", { class: "gan-banner", role: "status", hidden: true }, sentence, stop, dismiss);
  function draw() {
    const banner = bannerState(dismissed);
    element.hidden = !banner;
    element.dataset.look = banner ? banner.look : "";
    setText(sentence, banner ? banner.text : "");
    stop.hidden = !banner?.stop;
    dismiss.hidden = !banner?.dismiss;
  }
  return { element, draw };
}

function coloursButton() {
  const { isDark, paint } = window.ganPage;
  const element = h("button", { type: "button", class: "gan-btn gan-icon", onclick: () => {
    remember("gan.theme", isDark() ? "light" : "dark");
    paint();
  } }, h("i", { class: "gan-half", "aria-hidden": "true" }));
  return {
    element,
    draw() {
      element.title = t(isDark() ? "bar.theme_light" : "bar.theme_dark");
      element.setAttribute("aria-label", element.title);
    },
  };
}

/** The next of the languages, after the last one the first again. */
function languageButton() {
  const { languages } = window.ganPage;
  const other = languages[(languages.indexOf(language) + 1) % languages.length];
  const props = { type: "button", class: "gan-btn", id: "gan-language", title: t("bar.language"), lang: other };
  const choose = () => {
    remember("gan.language", other);
    keepForm();
    location.reload();
  };
  return h("button", { ...props, onclick: choose }, other.toUpperCase());
}
