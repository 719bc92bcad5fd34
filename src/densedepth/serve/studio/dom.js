// Small helpers for the page: finding and making elements, words for numbers, the live region.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A new element with properties (or attributes, where there is no such property) and children. */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A round button with a cross. */
export function iconButton(label, act) {
  const button = make("button", { type: "button", className: "cross", title: label, ariaLabel: label }, "×");
  button.addEventListener("click", act);
  return button;
}

/** Metres in words: "2.43 m"; one decimal from 10 m on, where the second means nothing. */
export function metres(value) {
  return `${value.toFixed(value < 10 ? 2 : 1)} m`;
}

/** Words of the server as a sentence. */
export function sentence(words) {
  return `${words.replace(/^./, (first) => first.toUpperCase())}.`;
}

/** A `<data>` element that shows metres and holds them in full. */
export function metresElement(value) {
  return make("data", { value: String(value) }, metres(value));
}

/** Say something to a screen reader; the last of several quick ones is said. */
export function announce(text) {
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => (byId("live").textContent = text), 120);
}

/** Show a short message at the foot of the page; it goes by itself after a while. */
export function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => (box.hidden = true), 8000);
}

/** Show or hide an element, of SVG too (which has no `hidden` property). */
export function show(element, visible) {
  element.toggleAttribute("hidden", !visible);
}

/** Hand a Blob to the reader as a file. */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = make("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Value of the chosen radio button of a group. */
export function chosen(name) {
  return document.querySelector(`input[name="${name}"]:checked`).value;
}

/** Call `act(value)` whenever another radio button of a group is chosen. */
export function onChoice(name, act) {
  for (const radio of document.querySelectorAll(`input[name="${name}"]`)) {
    radio.addEventListener("change", () => act(radio.value));
  }
}

/** Tie a range input to its `<output>`: `words(value)` is shown, `act(value)` is called while it moves. */
export function onSlide(id, words, act) {
  const input = byId(id);
  const output = byId(`${id}-value`);
  const update = () => {
    output.textContent = words(input.valueAsNumber);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    update();
    act(input.valueAsNumber);
  });
  update();
  return {
    get value() {
      return input.valueAsNumber;
    },
    set value(value) {
      input.value = value;
      update();
    },
  };
}
