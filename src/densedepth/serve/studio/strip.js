// The row of thumbnails: what there is, what is in view, how far each is.

import { iconButton, make } from "./dom.js";

const WORDS = { waiting: "waiting", working: "in work", done: "ready", failed: "failed" };

/** Fill the strip. Nodes are kept from one time to the next, so that the focus is, too. */
export function drawStrip(strip, session) {
  const known = new Map([...strip.children].map((node) => [node.dataset.id, node]));
  const nodes = session.items.map((item) => {
    const node = known.get(String(item.id)) ?? thumb(item, session, strip);
    const [button, sign] = node.children;
    button.setAttribute("aria-current", item === session.current);
    button.setAttribute("aria-label", `${item.name}, ${item.kind}, ${WORDS[item.state]}`);
    sign.className = `sign ${item.state}`;
    sign.hidden = item.state === "done" || item.state === "waiting";
    sign.textContent = item.state === "failed" ? "!" : "";
    return node;
  });
  const same = nodes.length === strip.children.length && nodes.every((node, i) => node === strip.children[i]);
  if (!same) strip.replaceChildren(...nodes);
}

function thumb(item, session, strip) {
  const picture =
    item.kind === "photo" ? make("img", { src: item.url, alt: "" }) : make("span", { className: "film" }, item.name);
  // A format that the browser does not know: the name must do.
  picture.addEventListener("error", () => picture.replaceWith(make("span", { className: "film" }, item.name)));
  const button = make("button", { type: "button", title: item.name }, picture);
  button.addEventListener("click", () => session.select(item));
  const node = make(
    "div",
    { className: "thumb" },
    button,
    make("span", { ariaHidden: "true" }),
    iconButton(`Remove ${item.name}`, () => {
      session.remove(item);
      // The keyboard goes on from the photo that is in view now.
      strip.querySelector('[aria-current="true"]')?.focus();
    }),
  );
  node.dataset.id = item.id;
  return node;
}
