// Files to keep: depth, colours, points and surfaces.

import { fetchFile } from "./api.js";
import { byId, saveBlob, toast } from "./dom.js";

const SUFFIX = { png16: "_depth.png", npz: ".npz", ply: ".ply", glb: "_points.glb", mesh: "_surface.glb" };

/** `now()` gives {item, settings, flyingPixels} for the photo in view. */
export function setUpDownloads(now) {
  for (const button of document.querySelectorAll("[data-format]")) {
    button.addEventListener("click", () => download(button, now()));
  }
}

async function download(button, { item, settings, flyingPixels }) {
  if (!item?.depth) return;
  const { format } = button.dataset;
  if (format === "color") {
    saveCanvas(byId("depth"), `${item.stem}_color.png`);
    return;
  }
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    saveBlob(await fetchFile(item.file, format, settings, flyingPixels), item.stem + SUFFIX[format]);
  } catch (error) {
    toast(error.message);
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}

/** Hand out what a canvas shows as PNG. */
export function saveCanvas(canvas, name) {
  canvas.toBlob((blob) => saveBlob(blob, name), "image/png");
}
