import assert from "node:assert/strict";
import { test } from "node:test";

import { curveColumns } from "../../../gan_core/ui/web/curves/columns.js";
import { store } from "../../../gan_core/ui/web/store.js";

const step = Array.from({ length: 400 }, (_, i) => i + 1);
const spiky = (/** @type {number} */ usual, /** @type {number} */ spike) =>
  step.map((n) => (n < 4 ? spike : usual + 0.001 * (n % 3)));

test("a loss far away is drawn at the edge, a belief never: its axis is fixed", () => {
  store.series = { step, d_loss: spiky(1, 1200), g_loss: spiky(1, 1), d_real: spiky(0.5, 0.97), d_fake: spiky(0.5, 0.02) };
  const data = curveColumns(0.9, false);
  assert.ok(Number(data.d_loss_drawn[0]) < 2 && data.d_loss_beyond[0] === data.d_loss_drawn[0] && data.d_loss[0] === 1200);
  assert.deepEqual([data.d_real_drawn[0], data.d_fake_drawn[0]], [0.97, 0.02]);
  assert.ok(data.d_real_beyond.every(Number.isNaN) && data.g_loss_beyond.every(Number.isNaN));
});

test("on a logarithmic axis nothing is cut", () => {
  store.series = { step, d_loss: spiky(1, 1200), g_loss: spiky(1, 1), d_real: spiky(0.5, 0.5), d_fake: spiky(0.5, 0.5) };
  assert.equal(curveColumns(0.9, true).d_loss_drawn[0], 1200);
});
