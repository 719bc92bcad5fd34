// The photos and videos of a visit, and the work on them: one photo at a time, the one in view first, and beside them
// one video.

import { fetchDepth, settingsQuery } from "./api.js";
import { runVideo, stopVideo } from "./video.js";

// A photo is kept at this size at most: sharp on a screen, small in memory.
const LONGEST_SIDE_PX = 1600;
const VIDEO_SUFFIX = /\.(mp4|m4v|mov|mkv|webm|avi)$/i;

let lastId = 0;

/** One photo or video. `state` is waiting, working, done or failed. */
class Item {
  constructor(file, name) {
    this.id = (lastId += 1);
    this.file = file;
    this.name = name;
    this.kind = file.type.startsWith("video/") || VIDEO_SUFFIX.test(name) ? "video" : "photo";
    this.url = URL.createObjectURL(file);
    this.state = "waiting";
    this.progress = { text: "Waiting", fraction: null };
    this.photo = null;
    this.depth = null;
    this.marks = [];
    this.focusM = null;
    this.ball = null;
    this.remarks = [];
  }

  /** File name without its suffix, for downloads. */
  get stem() {
    return this.name.replace(/\.[^.]+$/, "") || "photo";
  }
}

/** Fires "change" whenever something that is shown has changed. */
export class Session extends EventTarget {
  items = [];
  current = null;
  settings = { model: "", camera: "photo", fovDeg: 65, focal35mm: 26, tta: false };
  // What is worked on, by kind.
  #running = { photo: null, video: null };

  /** Take photos and videos in and show the first of them. */
  add(files) {
    const items = [...files].map((file) => new Item(file, file.name || `photo-${lastId + 1}.png`));
    if (!items.length) return;
    this.items.push(...items);
    this.current = items[0];
    this.changed();
    this.#workOnAll();
  }

  /** Show this item. */
  select(item) {
    this.current = item;
    this.changed();
    this.#workOnAll();
  }

  /** Forget an item. */
  remove(item) {
    const place = this.items.indexOf(item);
    const running = this.#running[item.kind];
    if (running?.item === item) running.abort.abort();
    if (item.kind === "video") stopVideo(item);
    this.items.splice(place, 1);
    URL.revokeObjectURL(item.url);
    if (this.current === item) this.current = this.items[Math.min(place, this.items.length - 1)] ?? null;
    this.changed();
    this.#workOnAll();
  }

  /** Change model or camera; what is in view is computed again, the others when they are looked at. */
  configure(changes) {
    Object.assign(this.settings, changes);
    this.#running.photo?.abort.abort();
    this.changed();
    this.#workOnAll();
  }

  /** Try a failed item again. */
  retry(item) {
    item.state = "waiting";
    this.select(item);
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  #key() {
    return settingsQuery(this.settings).toString();
  }

  #next(kind) {
    const current = this.current?.kind === kind ? this.current : null;
    const stale = kind === "photo" && current && current.state !== "waiting" && current.key !== this.#key();
    if (current && (stale || current.state === "waiting")) return current;
    return this.items.find((item) => item.kind === kind && item.state === "waiting");
  }

  #workOnAll() {
    this.#work("photo");
    this.#work("video");
  }

  async #work(kind) {
    if (this.#running[kind]) return;
    for (let item = this.#next(kind); item; item = this.#next(kind)) {
      const abort = new AbortController();
      this.#running[kind] = { item, abort };
      item.state = "working";
      item.key = this.#key();
      item.error = null;
      const progress = (state) => {
        item.progress = state;
        this.changed();
      };
      progress({ text: "Uploading", fraction: 0 });
      try {
        const task = { signal: abort.signal, progress };
        if (kind === "video") await runVideo(item, { ...this.settings, tta: false }, task);
        else await this.#predict(item, task);
        item.state = "done";
      } catch (error) {
        if (error.name === "AbortError") item.state = "waiting";
        else Object.assign(item, { state: "failed", error });
      }
      this.#running[kind] = null;
      this.changed();
    }
  }

  async #predict(item, task) {
    item.photo ??= await decode(item.file);
    this.changed();
    item.depth = await fetchDepth(item.file, { ...this.settings }, task);
  }
}

/** The photo upright in a canvas, or null where the browser cannot read its format (the server may). */
async function decode(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const scale = Math.min(1, LONGEST_SIDE_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}
