import assert from "node:assert/strict";
import test from "node:test";

import { Newest } from "../../../gan_core/ui/web/lib/newest.js";

/** Answers that end when the test says so. */
function held() {
  const asked = [], ends = [];
  const newest = new Newest((when) => {
    asked.push(when);
    return new Promise((resolve, reject) => { ends.push({ resolve, reject }); });
  });
  return { asked, ends, newest };
}
const settled = () => new Promise((resolve) => { setImmediate(resolve); });

test("one is on its way at a time, and the newest comes next", async () => {
  const { asked, ends, newest } = held();
  for (const when of [1, 2, 3]) newest.ask(when);
  assert.deepEqual(asked, [1]);
  ends[0].resolve();
  await settled();
  assert.deepEqual(asked, [1, 3]);
  ends[1].resolve();
  await settled();
  assert.deepEqual(asked, [1, 3], "nothing is asked twice");
  newest.ask(4);
  assert.deepEqual(asked, [1, 3, 4]);
});

test("another wish in place of the one that is answered comes next, unless a newer one waits", async () => {
  const { asked, ends, newest } = held();
  newest.ask(1);
  newest.instead(10);
  ends[0].resolve();
  await settled();
  assert.deepEqual(asked, [1, 10]);
  newest.ask(2);
  newest.instead(20);
  ends[1].resolve();
  await settled();
  assert.deepEqual(asked, [1, 10, 2]);
});

test("an answer that fails blocks nothing", async () => {
  const { asked, ends, newest } = held();
  const first = newest.ask(1);
  ends[0].reject(new Error("broken"));
  await assert.rejects(first);
  newest.ask(2);
  assert.deepEqual(asked, [1, 2]);
});
