// Which metres the colours span: those of the photo in view, chosen ones, or the same for all photos.

import { byId } from "./dom.js";

/** Ties the fields for the range to the photo in view; `redraw()` is called when it has changed. */
export function setUpRange(session, redraw) {
  const fields = [byId("range-near"), byId("range-far")];
  const shared = byId("range-shared");
  let common = null;

  /** [near, far] in metres for an item. */
  const of = (item) => common ?? item?.range ?? item?.depth?.rangeM ?? [0, 10];

  const set = (range) => {
    if (shared.checked) common = range;
    else if (session.current) session.current.range = range;
    redraw();
  };
  for (const field of fields) {
    field.addEventListener("change", () => {
      const [near, far] = fields.map((other) => other.valueAsNumber);
      const sound = near >= 0 && far > near;
      fields.forEach((other) => other.setAttribute("aria-invalid", !sound));
      if (sound) set([near, far]);
    });
  }
  shared.addEventListener("change", () => {
    common = shared.checked ? of(session.current) : null;
    redraw();
  });
  byId("range-auto").addEventListener("click", () => {
    // One range for all: what is nearest and farthest in any of them.
    const ranges = session.items.flatMap((item) => (item.depth ? [item.depth.rangeM] : []));
    const whole = [Math.min(...ranges.map((r) => r[0])), Math.max(...ranges.map((r) => r[1]))];
    set(shared.checked && ranges.length ? whole : null);
  });

  return {
    of,
    /** Show the numbers of the item in view, unless they are being typed. */
    refresh() {
      of(session.current).forEach((value, i) => {
        if (document.activeElement !== fields[i]) fields[i].value = Number(value.toFixed(2));
      });
    },
  };
}
