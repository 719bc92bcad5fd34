// Depth mode: photo and depth one over the other, the sliding border between them, the scale below and the readout.

import { announce, byId, make, metres, show } from "./dom.js";
import { drawDepth, drawVeil, gradient, ticks } from "./colors.js";
import { reading } from "./measure.js";

// Percent that a key moves the border by.
const ARROWS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2 };
const SPLIT_STEPS = { ...ARROWS, PageDown: -20, PageUp: 20, Home: -100, End: 100 };

let drawn = {};

/** Draw photo, depth and veil; what has not changed since the last time is left as it is. */
export function drawPicture(item, range, map, unsure) {
  const { depth, photo } = item;
  const source = photo ?? depth;
  byId("frame").style.setProperty("--ratio", source ? source.width / source.height : 4 / 3);
  const veiled = Boolean(unsure && depth?.uncertaintyM);
  const wanted = { photo, depth, near: range[0], far: range[1], map, veiled };
  if (Object.keys(wanted).every((key) => wanted[key] === drawn[key])) return;
  drawn = wanted;
  const canvas = byId("photo");
  if (photo) {
    canvas.width = photo.width;
    canvas.height = photo.height;
    canvas.getContext("2d").drawImage(photo, 0, 0);
  } else if (depth) {
    drawDepth(canvas, depth, depth.rangeM, "grey");
  }
  if (depth) drawDepth(byId("depth"), depth, range, map);
  if (veiled) drawVeil(byId("veil"), depth);
  show(byId("depth"), Boolean(depth));
  show(byId("veil"), veiled);
}

/** The border between photo (left) and depth (right), moved with pointer and keys. */
export function setUpSplit() {
  const handle = byId("split");
  const frame = byId("frame");
  let percent = 50;

  const set = (value) => {
    percent = Math.min(100, Math.max(0, value));
    frame.style.setProperty("--split", `${percent}%`);
    handle.setAttribute("aria-valuenow", Math.round(percent));
    handle.setAttribute("aria-valuetext", `${Math.round(percent)} % photo, ${Math.round(100 - percent)} % depth`);
  };
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
    handle.focus({ focusVisible: false });
  });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = frame.getBoundingClientRect();
    set(((event.clientX - box.left) / box.width) * 100);
  });
  handle.addEventListener("keydown", (event) => {
    if (!(event.key in SPLIT_STEPS)) return;
    event.preventDefault();
    set(percent + SPLIT_STEPS[event.key]);
  });
  set(50);
}

/** The scale in metres below the picture. */
export function drawLegend(range, map) {
  const [near, far] = range;
  byId("legend-bar").style.backgroundImage = gradient(map);
  const labels = ticks(range, Math.max(3, Math.min(8, Math.floor(byId("legend").clientWidth / 70))));
  byId("legend-ticks").replaceChildren(
    ...labels.map((value, i) => {
      const label = make("span", {}, i === labels.length - 1 ? `${value} m` : String(value));
      const share = far > near ? (value - near) / (far - near) : 0;
      label.style.left = `${share * 100}%`;
      if (share < 0.04) label.className = "first";
      if (share > 0.93) label.className = "last";
      return label;
    }),
  );
  byId("legend").setAttribute("aria-label", `Colours from ${metres(near)} (left) to ${metres(far)} (right)`);
}

/** Say what lies under the pointer; `point` is null when it has left the picture. */
export function showReadout(depth, point, range, { spoken = false, idle = "" } = {}) {
  const out = byId("readout");
  const needle = byId("legend-needle");
  needle.hidden = true;
  if (!depth || !point) {
    out.replaceChildren(idle);
    return;
  }
  const { column, row } = depth.pixelAt(point);
  const found = reading(depth, point);
  if (!found) {
    out.replaceChildren(make("strong", {}, "No depth here"), `Pixel ${column}, ${row}`);
    if (spoken) announce("no depth here");
    return;
  }
  const { depthM, uncertaintyM, lineOfSightM } = found;
  const unsure = uncertaintyM === null ? "" : ` ± ${metres(uncertaintyM)}`;
  out.replaceChildren(
    make("strong", {}, `${metres(depthM)}${unsure}`),
    `${metres(lineOfSightM)} from the lens, pixel ${column}, ${row}`,
  );
  const share = (depthM - range[0]) / Math.max(range[1] - range[0], 1e-6);
  needle.style.left = `${Math.min(1, Math.max(0, share)) * 100}%`;
  needle.hidden = false;
  if (spoken) announce(`${metres(depthM)}${unsure}, column ${column}, row ${row}`);
}
