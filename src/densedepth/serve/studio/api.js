// Calls to the server. Every failure becomes an `ApiError` whose text says what is wrong and what to do.

import { Depth } from "./depth.js";
import { sentence } from "./dom.js";
import { askToken, token } from "./token.js";

const LONGEST_SIDE_PX = 1024;
const RETRIES_WHEN_BUSY = 5;

/** A failure in plain words; `status` is the HTTP status, 0 when no answer came. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Query parameters of the model and camera that a person has chosen. */
export function settingsQuery({ model, camera, fovDeg, focal35mm, tta }) {
  const query = new URLSearchParams();
  if (model) query.set("model", model);
  if (camera === "fov") query.set("fov_deg", fovDeg);
  if (camera === "35mm") query.set("focal_35mm", focal35mm);
  if (tta) query.set("tta", "true");
  return query;
}

/** Depth of a photo in metres. `progress({text, fraction})` is told how far it is; fraction is null when unknown. */
export async function fetchDepth(file, settings, { signal, progress }) {
  const query = settingsQuery(settings);
  query.set("format", "raw");
  query.set("max_side", LONGEST_SIDE_PX);
  const answer = await send("POST", `/v1/depth?${query}`, { body: file, signal, progress });
  return parseDepth(answer.response, (name) => answer.getResponseHeader(name));
}

function parseDepth(buffer, header) {
  const width = Number(header("X-Depth-Width"));
  const height = Number(header("X-Depth-Height"));
  const withUncertainty = header("X-Depth-Uncertainty") === "1";
  const pixels = width * height;
  if (!pixels || buffer.byteLength !== pixels * 4 * (withUncertainty ? 2 : 1)) {
    throw new ApiError("The answer of the server is not a whole depth map. Try again.", 0);
  }
  return new Depth({
    // Little-endian, like every machine a browser runs on today.
    depthM: new Float32Array(buffer, 0, pixels),
    uncertaintyM: withUncertainty ? new Float32Array(buffer, pixels * 4, pixels) : null,
    width,
    height,
    focalPx: Number(header("X-Depth-Focal-Px")),
    cameraSource: header("X-Depth-Camera-Source"),
    model: header("X-Depth-Model"),
  });
}

/** A file made from a photo by the server, at the photo's full size: format is png16, npz, ply, glb or mesh. */
export async function fetchFile(file, format, settings, flyingPixels) {
  const query = settingsQuery(settings);
  query.set("format", format);
  const inSpace = format === "ply" || format === "glb" || format === "mesh";
  if (inSpace) query.set("flying_pixels", flyingPixels);
  const answer = await send("POST", `${inSpace ? "/v1/points" : "/v1/depth"}?${query}`, { body: file });
  return new Blob([answer.response]);
}

/** JSON from a GET. */
export async function fetchJson(path) {
  return json(await send("GET", path));
}

/** Hand in a video; its id. */
export async function postVideo(file, settings, { signal, progress }) {
  const answer = await send("POST", `/v1/videos?${settingsQuery(settings)}`, { body: file, signal, progress });
  return json(answer).id;
}

/** Any file of the server as a Blob. */
export async function fetchBlob(path, type) {
  return new Blob([(await send("GET", path)).response], { type });
}

/** Tell the server that a video is no longer wanted. Failure changes nothing for the reader. */
export function deleteVideo(id) {
  return send("DELETE", `/v1/videos/${id}`).catch(() => {});
}

function json(answer) {
  return JSON.parse(new TextDecoder().decode(answer.response));
}

async function send(method, path, options = {}) {
  if (options.body) await checkReadable(options.body);
  for (let attempt = 0; ; attempt += 1) {
    options.signal?.throwIfAborted();
    const answer = await once(method, path, options);
    if (answer.status < 300) return answer;
    if (answer.status === 401 && (await askToken())) continue;
    if ([429, 503].includes(answer.status) && attempt < RETRIES_WHEN_BUSY) {
      const seconds = Math.min(30, Number(answer.getResponseHeader("Retry-After")) || 2);
      options.progress?.({ text: `The server is busy; trying again in ${seconds} s`, fraction: null });
      await pause(seconds * 1000, options.signal);
      continue;
    }
    throw new ApiError(words(answer), answer.status);
  }
}

/** A folder, an empty file, one that is gone: the browser says of none of them what is wrong. */
async function checkReadable(file) {
  let head;
  try {
    head = await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new ApiError("This cannot be opened: a folder, or a file that was moved or deleted. Choose it anew.", 0);
  }
  if (!head.byteLength) throw new ApiError("This file is empty. Choose another one.", 0);
}

/** XMLHttpRequest, because fetch does not say how much of a body is sent. */
function once(method, path, { body = null, signal, progress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.responseType = "arraybuffer";
    if (token()) request.setRequestHeader("Authorization", `Bearer ${token()}`);
    if (body) request.setRequestHeader("Content-Type", body.type || "application/octet-stream");
    request.upload.onprogress = (event) => {
      const fraction = event.lengthComputable ? event.loaded / event.total : null;
      progress?.(fraction === 1 ? { text: "Computing depth", fraction: null } : { text: "Uploading", fraction });
    };
    request.onload = () => resolve(request);
    request.onerror = () =>
      reject(new ApiError("The server does not answer. Check that densedepth serve is running, then try again.", 0));
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("given up", "AbortError"));
    });
  });
}

const ADVICE = {
  401: "This server wants a token. Ask whoever runs it, then try again.",
  404: "The server does not have this, or no longer. Try again.",
  413: "This file is too large for the server. Use a smaller copy.",
  415: "This file cannot be read. Use another format, for instance JPEG or PNG.",
  429: "Too many requests in a short time. Wait a moment, then try again.",
  503: "The server has too much to do. Try again in a minute.",
  504: "The server took too long. Try a smaller photo.",
};

function words(answer) {
  let reason = "";
  try {
    const { error } = json(answer);
    if (typeof error === "string") reason = error;
  } catch {
    // No JSON: a proxy in between may answer in its own way.
  }
  const advice = ADVICE[answer.status] ?? "";
  if (reason && advice) return `${advice} The server says: ${reason}.`;
  // "photo" is what the server calls a file; the page says its name.
  if (reason) return sentence(reason.replace(/^photo: /, ""));
  return advice || `The server answered with status ${answer.status}. Try again.`;
}
