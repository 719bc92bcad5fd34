// The tools besides measuring: 3D view, refocus and ball. Each has its sliders and its way to draw.

import { BALL, ballUniforms } from "./ball.js";
import { byId, chosen, metres, onChoice, onSlide, show } from "./dom.js";
import { saveCanvas } from "./downloads.js";
import { Effect } from "./effect.js";
import { reading } from "./measure.js";
import { Orbit } from "./orbit.js";
import { REFOCUS, refocusUniforms } from "./refocus.js";
import { Space } from "./space.js";

/** The 3D view. `draw(item, colored)` shows an item, coloured by its photo or by the canvas `colored`. */
export function setUpSpace() {
  const canvas = byId("space");
  const orbit = new Orbit(canvas);
  const space = new Space(canvas, orbit);
  const change = (options) => {
    Object.assign(space.options, options);
    space.draw();
  };
  const degrees = (value) => (value ? `below ${value}°` : "off");
  const flying = onSlide("flying", degrees, (value) => change({ grazingDeg: value }));
  const size = onSlide("point-size", (value) => `× ${value.toFixed(1)}`, (value) => change({ pointSize: value }));
  change({ grazingDeg: flying.value, pointSize: size.value });
  onChoice("drawn", (value) => {
    show(byId("point-size-row"), value === "points");
    change({ surface: value === "surface" });
  });
  byId("reset-view").addEventListener("click", () => orbit.reset());
  let shown = {};
  return {
    supported: Boolean(space.gl),
    /** Degrees of the flying-pixel filter. */
    get flyingPixels() {
      return flying.value;
    },
    draw(item, colored, coloredKey) {
      const byPhoto = chosen("painted") === "photo";
      const wanted = { depth: item.depth, look: byPhoto ? item.photo : coloredKey };
      if (wanted.depth === shown.depth && wanted.look === shown.look) return space.draw();
      space.show(item.depth, byPhoto && item.photo ? item.photo : colored, { keepView: item.depth === shown.depth });
      shown = wanted;
    },
  };
}

/** Refocus and ball, which share a canvas. `redraw()` is called when a slider has moved. */
export function setUpEffects(current) {
  const effect = new Effect(byId("effect"), { refocus: REFOCUS, ball: BALL });
  const redraw = () => current().item?.depth && draw(current().item, current().mode);

  // The slider runs evenly in 1 / distance: near things need the finer steps.
  const distanceM = (item, share) => {
    const [near, far] = item?.depth?.rangeM ?? [0.5, 10];
    return 1 / ((1 - share) / near + share / far);
  };
  const focus = onSlide("focus", (share) => metres(distanceM(current().item, share)), (share) => {
    const { item } = current();
    if (item) item.focusM = distanceM(item, share);
    redraw();
  });
  const aperture = onSlide("aperture", (mm) => (mm ? `${mm} mm wide` : "closed"), redraw);
  const diameter = onSlide("diameter", (value) => `${value.toFixed(2)} m`, redraw);
  onChoice("paint", redraw);

  const showFocus = (item) => {
    const [near, far] = item.depth.rangeM;
    focus.value = (1 / near - 1 / item.focusM) / Math.max(1e-9, 1 / near - 1 / far);
    byId("focus-value").textContent = metres(item.focusM);
    byId("focus").setAttribute("aria-valuetext", metres(item.focusM));
  };

  function draw(item, mode) {
    effect.load(item.depth, item.photo ?? byId("photo"));
    if (mode === "refocus") {
      item.focusM ??= distanceM(item, 0.35);
      showFocus(item);
      effect.draw("refocus", refocusUniforms(item.depth, aperture.value / 1000, item.focusM));
    } else {
      effect.draw("ball", ballUniforms(item.depth, item.ball, diameter.value, chosen("paint")));
    }
  }

  for (const button of document.querySelectorAll('[data-act="save-effect"]')) {
    button.addEventListener("click", () => {
      const { item, mode } = current();
      if (!item?.depth) return;
      draw(item, mode);
      saveCanvas(byId("effect"), `${item.stem}_${mode}.png`);
    });
  }

  return {
    supported: Boolean(effect.gl),
    draw,
    /** A point was chosen: focus there, or put the ball there. */
    pick(item, mode, point) {
      const found = reading(item.depth, point);
      if (!found) return "No depth here: choose another point";
      if (mode === "refocus") {
        item.focusM = found.depthM;
        draw(item, mode);
        return `Focused at ${metres(found.depthM)}`;
      }
      item.ball = point;
      draw(item, mode);
      return `Ball placed at ${metres(found.depthM)}`;
    },
  };
}
