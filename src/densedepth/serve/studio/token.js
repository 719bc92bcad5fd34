// The bearer token of a server that wants one: asked for once, kept until the tab is closed.

import { byId } from "./dom.js";

const KEY = "densedepth-token";
let asking = null;

/** The token given so far, or "". */
export function token() {
  return sessionStorage.getItem(KEY) ?? "";
}

/** Ask for a token. True when one was given, false when the reader went away. One question for several requests. */
export function askToken() {
  asking ??= new Promise((resolve) => {
    const dialog = byId("token-dialog");
    byId("token").value = "";
    byId("token-wrong").hidden = !token();
    dialog.returnValue = "";
    byId("token-cancel").onclick = () => dialog.close();
    dialog.showModal();
    dialog.addEventListener(
      "close",
      () => {
        asking = null;
        const given = byId("token").value.trim();
        const sent = dialog.returnValue === "send" && given !== "";
        if (sent) sessionStorage.setItem(KEY, given);
        resolve(sent);
      },
      { once: true },
    );
  });
  return asking;
}
