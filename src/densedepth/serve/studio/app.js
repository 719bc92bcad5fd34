// The studio: ties session, picture and tools to the page.

import { fetchBlob } from "./api.js";
import { announce, byId, chosen, onChoice, saveBlob, sentence, show, toast } from "./dom.js";
import { setUpDownloads } from "./downloads.js";
import { setUpIntake } from "./intake.js";
import { setUpMeasuring } from "./measuring.js";
import { drawLegend, drawPicture, setUpSplit, showReadout } from "./picture.js";
import { setUpRange } from "./range.js";
import { Session } from "./session.js";
import { loadModels, setUpSettings, showSettings } from "./settings.js";
import { drawStrip } from "./strip.js";
import { Surface } from "./surface.js";
import { setUpEffects, setUpSpace } from "./tools.js";

const IDLE = {
  depth: "Point at the picture to read metres.",
  space: "Drag to turn.",
  refocus: "Click what shall be sharp.",
  ball: "Click where the ball shall lie.",
};
const GREY = "This browser cannot show photos of this kind. In its place is the depth in grey, near is light.";

const session = new Session();
const surface = new Surface(byId("surface"), byId("cursor"));
const range = setUpRange(session, render);
const measuring = setUpMeasuring(session);
const space = setUpSpace();
const effects = setUpEffects(() => ({ item: session.current, mode: chosen("mode") }));
let hover = null;
let shownDepth = null;

setUpSplit();
setUpSettings(session);
setUpIntake((files) => {
  loadModels();
  session.add(files);
});
setUpDownloads(() => ({ item: session.current, settings: session.settings, flyingPixels: space.flyingPixels }));

session.addEventListener("change", render);
for (const name of ["mode", "painted"]) onChoice(name, render);
byId("map").addEventListener("change", render);
byId("unsure").addEventListener("change", render);
new ResizeObserver(() => session.current?.depth && drawLegend(range.of(session.current), byId("map").value)).observe(
  byId("legend"),
);

surface.addEventListener("hover", (event) => {
  hover = event.detail;
  showHover(event.byKey);
  if (chosen("mode") === "depth") measuring.hover(hover);
});
surface.addEventListener("pick", ({ detail }) => {
  const { current } = session;
  if (!current?.depth) return;
  const mode = chosen("mode");
  if (mode === "depth") measuring.pick(detail);
  else if (effects.supported) announce(effects.pick(current, mode, detail));
});

byId("cancel").addEventListener("click", () => session.remove(session.current));
byId("discard").addEventListener("click", () => session.remove(session.current));
byId("retry").addEventListener("click", () => session.retry(session.current));
byId("save-video").addEventListener("click", async () => {
  const { current } = session;
  try {
    saveBlob(await fetchBlob(current.resultUrl, "video/mp4"), `${current.stem}_depth.mp4`);
  } catch (error) {
    toast(error.message);
  }
});

function showHover(spoken = false) {
  const { current } = session;
  showReadout(current?.depth, hover, range.of(current), { spoken, idle: current?.depth ? IDLE[chosen("mode")] : "" });
}

function render() {
  const item = session.current;
  const mode = chosen("mode");
  const isPhoto = item?.kind === "photo";
  const ready = isPhoto && item.depth !== null;
  const failed = item?.state === "failed";

  document.body.classList.toggle("busy-page", Boolean(item));
  byId("main").classList.toggle("with-panel", Boolean(item));
  document.querySelector(".work").classList.toggle("is-empty", !item);
  show(byId("empty"), !item);
  for (const id of ["bar-actions", "panel", "strip"]) show(byId(id), Boolean(item));
  show(byId("modes"), Boolean(isPhoto));
  show(byId("below"), Boolean(isPhoto));
  for (const section of document.querySelectorAll(".for-mode")) {
    show(section, Boolean(isPhoto) && section.dataset.mode.split(" ").includes(mode));
  }
  byId("download").disabled = !ready;
  drawStrip(byId("strip"), session);
  showNotices(item, failed);
  showVideo(item);
  showSettings(session);

  const supported = mode === "depth" || (mode === "space" ? space.supported : effects.supported);
  const inSpace = Boolean(ready && !failed && supported && mode === "space");
  show(byId("frame"), Boolean(isPhoto && !failed && !inSpace && (item.photo || item.depth)));
  show(byId("space"), inSpace);
  show(byId("no-webgl"), Boolean(ready && !failed && !supported));
  show(byId("effect"), Boolean(ready && supported && (mode === "refocus" || mode === "ball")));
  for (const id of ["marks", "tags", "split", "depth"]) show(byId(id), Boolean(ready && mode === "depth"));
  if (!item || !isPhoto) return;

  surface.size = item.depth ?? surface.size;
  byId("surface").setAttribute("aria-label", surfaceLabel(item, mode));
  const map = byId("map").value;
  drawPicture(item, range.of(item), map, byId("unsure").checked && mode === "depth");
  show(byId("depth"), ready && mode === "depth");
  const shares = item.depth?.uncertainShares;
  show(byId("unsure-row"), mode === "depth" && Boolean(shares));
  if (shares) byId("unsure-words").textContent = unsureWords(shares);
  const colored = mode === "depth" || (mode === "space" && chosen("painted") === "depth");
  byId("legend").classList.toggle("off", !ready || !colored);
  show(byId("colors"), colored);
  measuring.refresh();
  if (!ready) return;
  drawLegend(range.of(item), map);
  range.refresh();
  if (item.depth !== shownDepth) {
    shownDepth = item.depth;
    hover = null;
    announce(`Depth of ${item.name} is ready`);
    if (!item.photo) toast(GREY);
  }
  showHover();
  if (!supported) return;
  if (mode === "space") space.draw(item, byId("depth"), `${map} ${range.of(item)}`);
  else if (mode !== "depth") effects.draw(item, mode);
}

function unsureWords(shares) {
  const [low, high] = shares.map((share) => `± ${Math.round(share * 100)} %`);
  return `clear up to ${low}, dense from ${high} on`;
}

function surfaceLabel(item, mode) {
  const [near, far] = item.depth?.rangeM ?? [];
  const views = { depth: "photo and its depth", refocus: "photo, refocused", ball: "photo with a ball" };
  const what = views[mode] ?? "photo";
  return `${item.name}, ${what}${far ? `, ${near.toFixed(1)} to ${far.toFixed(1)} metres` : ""}`;
}

function showNotices(item, failed) {
  const working = item?.state === "working" || item?.state === "waiting";
  show(byId("busy"), working);
  // Computing again with other settings: what is there stays, so there is nothing to take away.
  show(byId("cancel"), !item?.depth);
  if (working) {
    byId("busy-text").textContent = item.progress.text;
    const bar = byId("busy-progress");
    if (item.progress.fraction === null) bar.removeAttribute("value");
    else bar.value = item.progress.fraction;
  }
  show(byId("trouble"), Boolean(failed));
  if (failed) byId("trouble-text").textContent = `${item.name}: ${item.error.message}`;
}

function showVideo(item) {
  const isVideo = item?.kind === "video";
  const player = byId("result");
  const url = isVideo ? (item.resultUrl ?? "") : "";
  show(byId("player"), url !== "");
  for (const section of document.querySelectorAll(".for-video")) show(section, isVideo);
  byId("save-video").disabled = url === "";
  const words = url
    ? ["Photo and depth side by side; the colours mean the same metres in every frame.", ...item.remarks.map(sentence)]
    : ["Every frame is worked on. You can look at photos meanwhile."];
  byId("video-hint").textContent = words.join(" ");
  player.setAttribute("aria-label", isVideo ? `${item.name} with its depth` : "");
  if (player.dataset.url === url) return;
  player.dataset.url = url;
  if (url) player.src = url;
  else player.removeAttribute("src");
}

render();
