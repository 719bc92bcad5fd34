// A photo from the webcam.

import { byId } from "./dom.js";

const TROUBLE = {
  NotAllowedError: "The browser was not allowed to use the webcam. Allow it in the address bar, then try again.",
  NotFoundError: "There is no webcam on this device.",
  NotReadableError: "The webcam is in use by another program. Close that, then try again.",
};

/** Set the dialog up; `take(file)` gets each photo. Returns the function that opens the dialog. */
export function setUpWebcam(take) {
  const dialog = byId("webcam-dialog");
  const video = byId("webcam");
  const shutter = byId("webcam-take");
  const trouble = byId("webcam-trouble");
  let stream = null;

  dialog.addEventListener("close", () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
  });

  shutter.addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    dialog.close();
    const time = new Date().toLocaleTimeString("en-GB").replaceAll(":", "-");
    canvas.toBlob((blob) => take(new File([blob], `webcam-${time}.jpg`, { type: "image/jpeg" })), "image/jpeg", 0.95);
  });

  return async () => {
    trouble.hidden = true;
    shutter.disabled = true;
    dialog.showModal();
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "InsecureContext");
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } } });
      if (!dialog.open) {
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      video.srcObject = stream;
      await video.play();
      shutter.disabled = false;
      shutter.focus();
    } catch (error) {
      trouble.textContent =
        error.name === "InsecureContext"
          ? "Browsers give a webcam only to pages from this computer or over https. Open the studio that way."
          : TROUBLE[error.name] ?? `The webcam did not start (${error.name}).`;
      trouble.hidden = false;
    }
  };
}
