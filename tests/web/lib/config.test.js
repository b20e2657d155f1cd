import assert from "node:assert/strict";
import { test } from "node:test";

import { differs } from "../../../gan_core/ui/web/lib/config.js";

test("a form differs from a run by the values of the fields that both have", () => {
  const run = { seed: 0, lr_d: 0.002, betas_d: [0, 0.99], threads: 4 };
  assert.equal(differs({ seed: 0, lr_d: 2e-3, betas_d: [0, 0.99] }, run), false);
  assert.equal(differs({ seed: 0, newer: true }, run), false, "the run is of an older version");
  for (const other of [{ seed: 1 }, { betas_d: [0, 0.9] }, { threads: 2 }]) assert.equal(differs(other, run), true);
  for (const [form, one] of [[null, run], [{ seed: 1 }, null], [null, null]]) assert.equal(differs(form, one), false);
});
