// Model and camera: the fields, and words for what the metres rest on.

import { fetchJson } from "./api.js";
import { byId, make, show } from "./dom.js";
import { focal35mm, fovDeg } from "./geometry.js";

let models = [];

/** Tie the fields to `session.configure` and fill the list of models. */
export function setUpSettings(session) {
  const camera = byId("camera");
  const send = (changes) => session.configure(changes);
  camera.addEventListener("change", () => send({ camera: camera.value }));
  for (const [id, key] of [
    ["fov", "fovDeg"],
    ["focal", "focal35mm"],
  ]) {
    const field = byId(id);
    field.addEventListener("change", () => {
      field.setAttribute("aria-invalid", !field.checkValidity());
      if (field.checkValidity() && field.value) send({ [key]: field.valueAsNumber });
    });
  }
  byId("tta").addEventListener("change", (event) => send({ tta: event.target.checked }));
  byId("model").addEventListener("change", (event) => send({ model: event.target.value }));
  loadModels();
}

/** Fill the list of models, if it is still empty. A server that is gone is reported with the first photo. */
export async function loadModels() {
  if (models.length) return;
  try {
    models = await fetchJson("/v1/models");
  } catch {
    return;
  }
  const first = models.find((model) => model.default) ?? models[0];
  byId("model").replaceChildren(
    ...models.map((model) => make("option", { value: model.name, selected: model === first }, model.name)),
  );
  describeModel();
}

function describeModel() {
  const model = models.find(({ name }) => name === byId("model").value);
  if (!model) return;
  const [near, far] = model.depth_range_m ?? [];
  const range = far ? `made for ${near} to ${far} m` : "";
  const unsure = model.uncertainty ? "says how certain it is" : "";
  byId("model-hint").textContent = [range, unsure].filter(Boolean).join(", ").replace(/^./, (c) => c.toUpperCase());
}

/** Show what is set and what the metres of this item rest on. */
export function showSettings(session) {
  const { settings, current } = session;
  show(byId("fov-row"), settings.camera === "fov");
  show(byId("focal-row"), settings.camera === "35mm");
  show(byId("tta-row"), current?.kind !== "video");
  describeModel();
  const state = byId("camera-state");
  const depth = current?.depth;
  show(state, Boolean(depth));
  if (!depth) return;
  const lens = `${Math.round(focal35mm(depth.camera))} mm equivalent, ${Math.round(fovDeg(depth.camera))}° wide`;
  const assumed = depth.cameraSource === "assumed";
  state.classList.toggle("assumed", assumed);
  const words = {
    exif: `Focal length from the photo: ${lens}.`,
    given: `Focal length as you set it: ${lens}.`,
    assumed:
      `Focal length assumed (${lens}), as the photo does not say it. Metres are only as good as this guess: ` +
      "set it below if you know it.",
  };
  state.textContent = words[depth.cameraSource] ?? lens;
}
