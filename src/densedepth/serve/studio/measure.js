// Points and lengths in a photo: what they measure, the marks over the picture and the list beside it.

import { iconButton, make, metres, metresElement } from "./dom.js";
import { distance, unproject } from "./geometry.js";

/** What lies under (u, v): {depthM, uncertaintyM, lineOfSightM, xyz}, or null where there is no depth. */
export function reading(depth, point) {
  const { column, row } = depth.pixelAt(point);
  const depthM = depth.at(column, row);
  if (!depthM) return null;
  const xyz = unproject(depth.camera, column + 0.5, row + 0.5, depthM);
  return { depthM, uncertaintyM: depth.uncertaintyAt(column, row), lineOfSightM: Math.hypot(...xyz), xyz };
}

/** The same point moved to the middle of its pixel. */
export function snapped(depth, point) {
  const { column, row } = depth.pixelAt(point);
  return { u: (column + 0.5) / depth.width, v: (row + 0.5) / depth.height };
}

/** Metres of a mark: the depth of a point, the length between two; null where depth is missing. */
export function markMetres(depth, mark) {
  const ends = mark.map((point) => reading(depth, point));
  if (ends.includes(null)) return null;
  return ends.length === 1 ? ends[0].depthM : distance(ends[0].xyz, ends[1].xyz);
}

/** One sentence about a mark, for the list and for screen readers. */
export function markWords(depth, mark) {
  const ends = mark.map((point) => reading(depth, point));
  if (ends.includes(null)) return "no depth here";
  if (ends.length === 1) {
    const { uncertaintyM, lineOfSightM } = ends[0];
    const unsure = uncertaintyM === null ? "" : `± ${metres(uncertaintyM)}, `;
    return `${unsure}${metres(lineOfSightM)} from the lens`;
  }
  return `from ${metres(ends[0].depthM)} to ${metres(ends[1].depthM)} deep`;
}

/** Draw marks over the picture. `open` is the first end of a length not finished, `hover` its loose end. */
export function drawMarks(svg, tags, depth, marks, open, hover) {
  svg.replaceChildren();
  tags.replaceChildren();
  if (!depth) return;
  marks.forEach((mark, index) => drawMark(svg, tags, depth, mark, index + 1));
  if (open) {
    if (hover) {
      line(svg, open, hover, "loose");
      const length = markMetres(depth, [open, snapped(depth, hover)]);
      if (length !== null) tag(tags, middle(open, hover), metres(length), "loose");
    }
    dot(svg, open);
  }
}

function drawMark(svg, tags, depth, mark, number) {
  const length = markMetres(depth, mark);
  if (mark.length === 2) line(svg, mark[0], mark[1], "");
  mark.forEach((point) => dot(svg, point));
  tag(tags, mark.length === 2 ? middle(...mark) : mark[0], length === null ? "–" : metres(length), "", number);
}

function middle(a, b) {
  return { u: (a.u + b.u) / 2, v: (a.v + b.v) / 2 };
}

const percent = (share) => `${share * 100}%`;

function line(svg, a, b, kind) {
  // A dark line below the light one: seen on any colour.
  for (const layer of ["under", "over"]) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const ends = { x1: a.u, y1: a.v, x2: b.u, y2: b.v };
    for (const [name, share] of Object.entries(ends)) node.setAttribute(name, percent(share));
    node.setAttribute("class", `${layer} ${kind}`);
    svg.append(node);
  }
}

function dot(svg, point) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  node.setAttribute("cx", percent(point.u));
  node.setAttribute("cy", percent(point.v));
  node.setAttribute("r", "5");
  svg.append(node);
}

function tag(tags, point, text, kind, number = null) {
  const node = make("span", { className: `tag ${kind}` }, number === null ? null : make("b", {}, String(number)), text);
  node.style.left = percent(point.u);
  node.style.top = percent(point.v);
  // Away from the edges, or the text would be cut.
  if (point.u > 0.8) node.classList.add("to-left");
  if (point.v < 0.12) node.classList.add("below");
  tags.append(node);
}

/** Fill the list of measurements; `remove(index)` takes one away. */
export function listMarks(list, depth, marks, remove) {
  list.replaceChildren(
    ...marks.map((mark, index) => {
      const length = markMetres(depth, mark);
      const kind = mark.length === 2 ? "Length" : "Depth";
      return make(
        "li",
        {},
        make("b", {}, String(index + 1)),
        make(
          "div",
          {},
          make("p", {}, `${kind} `, length === null ? "unknown" : metresElement(length)),
          make("small", {}, markWords(depth, mark)),
        ),
        iconButton(`Remove measurement ${index + 1}`, () => remove(index)),
      );
    }),
  );
}
