// A view that turns about a point: with mouse, touch and keys.

const TURN_PER_PX = 0.006;
const TURN_PER_KEY = 0.08;
const STEEPEST = 1.5;

/** Fires "change" when the view has moved. Axes as everywhere: x right, y down, z forward. */
export class Orbit extends EventTarget {
  target = [0, 0, 1];
  yaw = 0;
  pitch = 0;
  away = 1;
  scale = 1;
  #pointers = new Map();

  constructor(element) {
    super();
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, event);
    });
    element.addEventListener("pointermove", (event) => this.#drag(event));
    for (const type of ["pointerup", "pointercancel"]) {
      element.addEventListener(type, (event) => this.#pointers.delete(event.pointerId));
    }
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.#zoom(Math.exp(event.deltaY * 0.001));
      },
      { passive: false },
    );
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Columns right, down, forward of the view, as a 3 x 3 matrix in column order. */
  get turn() {
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    return [cy, 0, -sy, sy * sp, cp, cy * sp, sy * cp, -sp, cy * cp];
  }

  /** Where the viewer stands, in metres. */
  get eye() {
    const forward = this.turn.slice(6);
    return this.target.map((value, i) => value - forward[i] * this.away);
  }

  /** Look from beside the photo's own camera at the middle of the scene, so that the depth is seen at once. */
  lookFromCamera(depth) {
    const [near, far] = depth.rangeM;
    // Half way in 1 / depth: nearer things fill more of the picture.
    this.home = { target: [0, 0, 2 / (1 / near + 1 / far)], far };
    this.reset();
  }

  /** Back to the first view. */
  reset() {
    if (!this.home) return;
    this.target = [...this.home.target];
    this.away = this.target[2] * 1.06;
    this.scale = this.home.far;
    this.yaw = -0.26;
    this.pitch = -0.14;
    this.#changed();
  }

  #drag(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    const others = [...this.#pointers.values()].filter((pointer) => pointer.pointerId !== event.pointerId);
    this.#pointers.set(event.pointerId, event);
    if (others.length) {
      const apart = (pointer) => Math.hypot(pointer.clientX - others[0].clientX, pointer.clientY - others[0].clientY);
      this.#zoom(apart(before) / Math.max(1, apart(event)));
      this.#shift(dx / 2, dy / 2);
    } else if (event.buttons & 2 || event.shiftKey) {
      this.#shift(dx, dy);
    } else {
      this.#turn(dx * TURN_PER_PX, dy * TURN_PER_PX);
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrow && event.shiftKey) this.#shift(arrow[0] * 20, arrow[1] * 20);
    else if (arrow) this.#turn(arrow[0] * TURN_PER_KEY, arrow[1] * TURN_PER_KEY);
    else if (event.key === "+" || event.key === "=") this.#zoom(0.9);
    else if (event.key === "-") this.#zoom(1 / 0.9);
    else if (event.key === "r" || event.key === "Home") this.reset();
    else return;
    event.preventDefault();
  }

  #turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(STEEPEST, Math.max(-STEEPEST, this.pitch - pitch));
    this.#changed();
  }

  #shift(dx, dy) {
    const { turn } = this;
    const perPx = this.away * 0.0015;
    this.target = this.target.map((value, i) => value - (turn[i] * dx + turn[3 + i] * dy) * perPx);
    this.#changed();
  }

  #zoom(factor) {
    this.away = Math.min(20 * this.scale, Math.max(0.02 * this.scale, this.away * factor));
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
