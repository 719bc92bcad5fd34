// Ways for photos and videos to come in: dropped, chosen, pasted, from the webcam, an example.

import { fetchBlob, fetchJson } from "./api.js";
import { byId, make, show, toast } from "./dom.js";
import { setUpWebcam } from "./webcam.js";

/** Let every way in call `take(files)`. */
export function setUpIntake(take) {
  const files = byId("files");
  const openWebcam = setUpWebcam((file) => take([file]));
  const acts = { choose: () => files.click(), webcam: openWebcam };
  for (const button of document.querySelectorAll("[data-act]")) {
    const act = acts[button.dataset.act];
    if (act) button.addEventListener("click", act);
  }
  files.addEventListener("change", () => {
    take([...files.files]);
    // The same file may be chosen again.
    files.value = "";
  });
  setUpDrop(take);
  window.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) take([...event.clipboardData.files]);
  });
  showExamples(take);
}

function setUpDrop(take) {
  const sign = byId("drop");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let inside = 0;
  window.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    inside += 1;
    show(sign, true);
  });
  window.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    inside = Math.max(0, inside - 1);
    show(sign, inside > 0);
  });
  window.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  window.addEventListener("drop", (event) => {
    inside = 0;
    show(sign, false);
    if (!carriesFiles(event)) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
}

async function showExamples(take) {
  let examples;
  try {
    examples = await fetchJson("/v1/examples");
  } catch {
    // Without examples the page is as useful; a server that is gone is reported with the first photo.
    return;
  }
  byId("examples").replaceChildren(
    ...examples.map(({ name, url, alt }) => {
      const words = name.replaceAll("_", " ");
      const button = make(
        "button",
        { type: "button", className: "example" },
        make("img", { src: url, alt, loading: "lazy" }),
        make("span", {}, words[0].toUpperCase() + words.slice(1)),
      );
      button.addEventListener("click", async () => {
        try {
          take([new File([await fetchBlob(url)], `${name}.jpg`, { type: "image/jpeg" })]);
        } catch (error) {
          toast(error.message);
        }
      });
      return button;
    }),
  );
  show(byId("examples-box"), examples.length > 0);
}
