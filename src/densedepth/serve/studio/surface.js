// The picture as something to point at: mouse, touch and a cursor moved with the arrow keys.

const STEP_SHARE = 0.02;

/**
 * Fires "hover" (detail {u, v} or null) while a pointer or the key cursor moves and "pick" (detail {u, v}) on a click
 * or Enter. u and v run from 0 to 1 from the top left corner. Hover events of keys carry `byKey: true`.
 */
export class Surface extends EventTarget {
  constructor(element, cursorElement) {
    super();
    this.element = element;
    this.cursorElement = cursorElement;
    this.cursor = { u: 0.5, v: 0.5 };
    this.size = { width: 100, height: 100 };
    element.addEventListener("pointermove", (event) => this.#tell("hover", this.#place(event)));
    // A finger that is lifted leaves, too: what it read stays to be seen.
    element.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#tell("hover", null));
    element.addEventListener("click", (event) => {
      this.cursor = this.#place(event);
      this.#showCursor(false);
      this.#tell("hover", this.cursor);
      this.#tell("pick", this.cursor);
    });
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("focus", () => this.#showCursor(element.matches(":focus-visible")));
    element.addEventListener("blur", () => this.#showCursor(false));
  }

  #place(event) {
    const box = this.element.getBoundingClientRect();
    const share = (value, size) => Math.min(1, Math.max(0, value / size));
    return { u: share(event.clientX - box.left, box.width), v: share(event.clientY - box.top, box.height) };
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#showCursor(true);
      this.#tell("pick", this.cursor);
      return;
    }
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!direction) return;
    event.preventDefault();
    const { width, height } = this.size;
    // Whole pixels, and the cursor always in the middle of one: what is read is what is marked.
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(width * STEP_SHARE));
    const moved = (value, count, by) => {
      const pixel = Math.min(count - 1, Math.floor(value * count));
      return (Math.min(count - 1, Math.max(0, pixel + by * step)) + 0.5) / count;
    };
    this.cursor = { u: moved(this.cursor.u, width, direction[0]), v: moved(this.cursor.v, height, direction[1]) };
    this.#showCursor(true);
    this.#tell("hover", this.cursor, true);
  }

  #showCursor(visible) {
    this.cursorElement.hidden = !visible;
    this.cursorElement.style.left = `${this.cursor.u * 100}%`;
    this.cursorElement.style.top = `${this.cursor.v * 100}%`;
  }

  #tell(type, detail, byKey = false) {
    const event = new CustomEvent(type, { detail });
    event.byKey = byKey;
    this.dispatchEvent(event);
  }
}
