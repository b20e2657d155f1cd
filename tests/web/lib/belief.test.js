// How real the fakes of one frame are found.
import assert from "node:assert/strict";
import test from "node:test";
import { meanOpinion, meanShare } from "../../../gan_core/ui/web/lib/belief.js";

test("the mean of percentages is a probability, and of none there is none", () => {
  assert.equal(meanShare([10, 30]), 0.2);
  assert.equal(meanShare([]), null);
});

test("an opinion is read at each point's cell, lowest row first, and outside at the nearest one", () => {
  const cells = Uint8Array.of(0, 51, 102, 255), view = [-1, 1, -1, 1]; // below: 0, 51; above: 102, 255
  const at = (...points) => Math.round(255 * meanOpinion(points, cells, 2, view));
  assert.deepEqual([at([-0.5, -0.5]), at([0.5, -0.5]), at([-0.5, 0.5]), at([0.5, 0.5])], [0, 51, 102, 255]);
  assert.equal(at([9, 9], [-9, -9]), 128);
  assert.equal(meanOpinion([], cells, 2, view), null);
});
