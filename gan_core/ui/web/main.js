// The page's own code: each thing one sees is a part, mounted where gradio puts its container. This is its table of contents.
import { bar } from "./bar/bar.js";
import { curves } from "./curves/curves.js";
import { pad } from "./data/pad.js";
import { preview } from "./data/preview.js";
import { flow } from "./flow.js";
import { latent } from "./latent/latent.js";
import { mountParts, watchPage } from "./mount.js";
import { answerGradio } from "./page.js";
import { playground } from "./playground.js";
import { real } from "./real.js";
import { samples } from "./samples/samples.js";
import { watchComboboxes } from "./settings/combobox.js";
import { faces } from "./settings/faces.js";
import { knobs } from "./settings/knobs.js";
import { presets } from "./settings/presets.js";
import { startStream } from "./stream.js";
import { watchButtons } from "./transport/buttons.js";
import { watchKeyboard } from "./transport/keyboard.js";

window.ganPlayground = playground;
mountParts({ bar, flow, grid: samples, real, curves, latent, faces, presets, knobs, look: preview, pad });
watchComboboxes();
watchButtons();
watchKeyboard();
watchPage();
answerGradio();
startStream();
