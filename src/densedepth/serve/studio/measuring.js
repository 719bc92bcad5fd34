// The measuring tool: what a click does, the list, undo, clear and copy.

import { announce, byId, chosen, metres, onChoice, toast } from "./dom.js";
import { drawMarks, listMarks, markMetres, markWords, snapped } from "./measure.js";

/** Measuring in the photo in view. `open` is the first end of a length whose second is still to come. */
export function setUpMeasuring(session) {
  let open = null;
  let openItem = null;

  const marks = () => session.current?.marks ?? [];
  const change = (act) => {
    act();
    refresh();
  };

  function refresh(hover = null) {
    const { current } = session;
    if (openItem !== current) open = null;
    const depth = current?.depth;
    drawMarks(byId("marks"), byId("tags"), depth, marks(), open, hover);
    const remove = (index) => change(() => marks().splice(index, 1));
    if (hover === null) listMarks(byId("list"), depth, depth ? marks() : [], remove);
    byId("undo").disabled = !open && !marks().length;
    byId("clear").disabled = byId("copy").disabled = !marks().length;
    const hint = {
      point: "Click a point in the picture to read its depth.",
      length: open ? "Now click where it ends." : "Click where the length begins, then where it ends.",
    };
    byId("measure-hint").textContent = hint[chosen("tool")];
  }

  function undo() {
    if (open) open = null;
    else marks().pop();
    refresh();
    announce(`Undone. ${marks().length} measurements left`);
  }

  async function copy() {
    const { depth } = session.current;
    const lines = marks().map((mark, i) => {
      const value = markMetres(depth, mark);
      const kind = mark.length === 2 ? "length" : "depth";
      return [i + 1, kind, value === null ? "" : value.toFixed(4), markWords(depth, mark)].join("\t");
    });
    const text = ["#\tkind\tmetres\tnote", ...lines].join("\n");
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied: paste it into a table.");
    } catch {
      toast("The browser does not allow copying here.");
    }
  }

  onChoice("tool", () => change(() => (open = null)));
  byId("undo").addEventListener("click", undo);
  byId("clear").addEventListener("click", () => change(() => ((session.current.marks = []), (open = null))));
  byId("copy").addEventListener("click", copy);
  window.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.('input[type="number"], input[type="password"]');
    if (typing || byId("undo").disabled) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      event.preventDefault();
      undo();
    } else if (event.key === "Escape" && open) {
      change(() => (open = null));
    }
  });

  return {
    refresh,
    /** Draw the loose end of an unfinished length. */
    hover(point) {
      if (open) refresh(point ?? undefined);
    },
    /** A point was chosen in the picture. */
    pick(point) {
      const { current } = session;
      const place = snapped(current.depth, point);
      if (markMetres(current.depth, [place]) === null) {
        announce("No depth here");
        toast("There is no depth at this point. Choose another one.");
        return;
      }
      if (chosen("tool") === "length" && !open) {
        [open, openItem] = [place, current];
        announce("Length begins here. Choose where it ends.");
      } else {
        const mark = chosen("tool") === "length" ? [open, place] : [place];
        open = null;
        current.marks.push(mark);
        const kind = mark.length === 2 ? "Length" : "Depth";
        announce(`Measurement ${current.marks.length}: ${kind} ${metres(markMetres(current.depth, mark))}`);
      }
      refresh();
      byId("list").scrollTop = byId("list").scrollHeight;
    },
  };
}
