// Sentences, numbers and pairs, as people read and write them.
import assert from "node:assert/strict";
import test from "node:test";
import { translator } from "../../../gan_core/ui/web/lib/i18n.js";
import { clock, formats, percent, signed } from "../../../gan_core/ui/web/lib/numbers.js";
import { plainNumber } from "../../../gan_core/ui/web/lib/decimal.js";
import { parsedPair } from "../../../gan_core/ui/web/lib/pair.js";

test("placeholders are filled, also with 0 and twice, and unknown ones stay", () => {
  const { t, known, label } = translator({ "a.b": "{n} of {n}, {other}" });
  assert.equal(t("a.b", { n: 0 }), "0 of 0, {other}");
  assert.equal(t("no.such"), "no.such");
  assert.deepEqual([known("a.b"), known("no.such")], [true, false]);
  assert.deepEqual([label("a.b", "name"), label("no.such", "name")], ["{n} of {n}, {other}", "name"]);
});

test("a value that holds braces is not read again", () => {
  assert.equal(translator({ a: "{x} {y}" }).t("a", { x: "{y}", y: "1" }), "{y} 1");
});

test("numbers are written in the language's way", () => {
  const english = formats("en"), french = formats("fr");
  assert.equal(english.number(1234567.8), "1,234,568");
  assert.equal(french.number(1234567.8).replace(/\s/g, " "), "1 234 568");
  assert.deepEqual([english.decimal(0.5, 2), french.decimal(0.5, 2)], ["0.50", "0,50"]);
  assert.deepEqual([english.short(0.00012345), english.short(98765)], ["0.000123", "98,800"]);
});

test("percentages are whole and never leave 0 to 100", () => {
  assert.deepEqual([-1, 0, 0.005, 0.4949, 0.995, 2].map(percent), ["0", "0", "1", "49", "100", "100"]);
});

test("two numbers that differ do not look the same, or else they have a decimal", () => {
  const english = formats("en"), french = formats("fr");
  assert.deepEqual(english.pair(42.4, 46.6), ["42", "47"]);
  assert.deepEqual(english.pair(50.12, 49.9), ["50.1", "49.9"]);
  assert.deepEqual(english.pair(-0.31, 0.26), ["-0.3", "0.3"], "a gap whose sign turns");
  assert.deepEqual(english.pair(50.01, 50.02), ["50.0", "50.0"]);
  assert.deepEqual(english.pair(50.2, 50.2), ["50", "50"], "nothing has moved");
  assert.deepEqual(english.pair(-0.04, 0.3), ["0.0", "0.3"], "never a minus before zeros");
  assert.deepEqual(french.pair(50.12, 49.9), ["50,1", "49,9"]);
});

test("a clock shows hours from the first one on", () => {
  assert.deepEqual([undefined, -5, 0, 59.9, 60, 3599, 3600, 360000].map((s) => clock(s)),
    ["00:00", "00:00", "00:00", "00:59", "01:00", "59:59", "1:00:00", "100:00:00"]);
});

test("a signed number has a real minus sign and no sign at 0", () => {
  assert.deepEqual([signed(1, "1.0"), signed(-1, "1.0"), signed(0, "0.0")], ["+1.0", "\u22121.0", "0.0"]);
});

test("a number is read in either language's way, and a comma of thousands is none of decimals", () => {
  const fractions = { "0,0005": "0.0005", ",": ".", "-1,5": "-1.5", "\u22121,5": "-1.5", "1 234,5": "1234.5",
    "1\u202f234,5": "1234.5", "1.234,5": "1234.5", "1,234.5": "1234.5", "1,234,567": "1234567", "2e-4": "2e-4", "0.5": "0.5" };
  for (const [text, number] of Object.entries(fractions)) assert.equal(plainNumber(text, false), number, text);
  const wholes = { ",": "", "5,000": "5000", "1,234,567": "1234567", "5 000": "5000", "1,5": "1.5", "7": "7" };
  for (const [text, number] of Object.entries(wholes)) assert.equal(plainNumber(text, true), number, text);
});

test("a pair is read in either language's way", () => {
  const ways = ["0.5, 0.999", "0.5 0.999", "0,5; 0,999", " 0.5 ;0.999 ", "0.5,0.999", "0,5 0,999", "0.5 , 0.999"];
  for (const text of ways) assert.deepEqual(parsedPair(text), [0.5, 0.999]);
  assert.deepEqual(parsedPair(""), []);
  assert.ok(parsedPair("0.5, x").some(Number.isNaN));
});
