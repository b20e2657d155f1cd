import assert from "node:assert/strict";
import test from "node:test";

import { isNews } from "../../../gan_core/ui/web/lib/cursor.js";

test("of the same run, what has a greater number is news, snapshot or not", () => {
  for (const whole of [true, false]) {
    assert.ok(isNews("b00t.run-1.10", "b00t.run-1.9", whole), "numbers, not texts, are compared");
    assert.ok(!isNews("b00t.run-1.9", "b00t.run-1.9", whole));
    assert.ok(!isNews("b00t.run-1.8", "b00t.run-1.9", whole));
  }
});

test("of another run, or of a server that began again, a snapshot alone is news", () => {
  for (const id of ["b00t.run-2.10", "0ther.run-1.10", "b00t.run-2.3", "b00t.run-1.x.10", "b00t..10"]) {
    assert.deepEqual([isNews(id, "b00t.run-1.9", true), isNews(id, "b00t.run-1.9", false)], [true, false], id);
  }
});

test("before the first snapshot nothing else is news", () => {
  assert.deepEqual([isNews("b00t.run-1.1", "", true), isNews("b00t.run-1.1", "", false)], [true, false]);
  assert.deepEqual([isNews("b00t..2", "b00t..1", false), isNews("b00t..1", "b00t..1", true)], [true, false], "no run at all");
});
