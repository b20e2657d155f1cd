// ESLint rule: a key given to t() is a key of the words, and what is put together in a template begins and ends like one.
import { readFileSync } from "node:fs";

/** Every key that the page is sent; write_types.py writes it. @type {string[]} */
const keys = JSON.parse(readFileSync(new URL("generated/words.json", import.meta.url), "utf-8"));

/** Whether a key may be meant by an argument. */
function isKnown({ type, value, quasis, consequent, alternate }) {
  if (type === "Literal") return keys.includes(value);
  if (type === "ConditionalExpression") return isKnown(consequent) && isKnown(alternate);
  if (type !== "TemplateLiteral") return true; // nothing is known about it here
  const first = quasis[0].value.cooked, end = quasis.at(-1).value.cooked;
  return keys.some((key) => key.startsWith(first) && key.endsWith(end) && key.length >= first.length + end.length);
}

export default {
  meta: { type: "problem", schema: [], messages: { unknown: "The words in gan_core/ui/words have no such key." } },
  create: (context) => ({
    "CallExpression[callee.name='t']"({ arguments: [key] }) {
      if (!isKnown(key)) context.report({ node: key, messageId: "unknown" });
    },
  }),
};
