// The words of the language in use, fetched once (boot.js has preloaded them), and numbers as that language writes them.
import { translator } from "./lib/i18n.js";
import { formats } from "./lib/numbers.js";

export const { language } = window.ganPage;

const reply = await fetch(new URL(`words.${language}.json`, import.meta.url));
if (!reply.ok) throw new Error(`The words of the page did not come: status ${reply.status}.`);
export const { t, known, label } = translator(await reply.json());
export const { number, decimal, short, pair } = formats(language);

/**
 * What a run is called: the name that a person gave it, else its preset's.
 * @param {string | null} id @param {{ name: string, preset: string }} run
 */
export const runTitle = (id, { name, preset }) => (name === id ? label(`presets.${preset}.name`, name) : name);
