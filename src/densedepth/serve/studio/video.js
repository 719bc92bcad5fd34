// A video: handed in, waited for, its result played.

import { ApiError, deleteVideo, fetchBlob, fetchJson, postVideo } from "./api.js";
import { token } from "./token.js";

const POLL_MS = 1000;
const MISSED_POLLS = 10;

/** Take a video through the server. Sets `item.videoId` and, at the end, `item.remarks` and `item.resultUrl`. */
export async function runVideo(item, settings, { signal, progress }) {
  // Tried again: the server forgets what failed.
  stopVideo(item);
  item.videoId = await postVideo(item.file, settings, { signal, progress });
  for (let missed = 0; ; ) {
    let status = null;
    try {
      status = await fetchJson(`/v1/videos/${item.videoId}`);
      missed = 0;
    } catch (error) {
      // The work goes on while the way to the server is interrupted.
      missed += 1;
      if (error.status !== 0 || missed > MISSED_POLLS) throw error;
    }
    signal.throwIfAborted();
    if (status?.error) throw new ApiError(status.error, 0);
    if (status?.state === "done") {
      item.remarks = status.remarks;
      break;
    }
    if (status) progress(progressOf(status));
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const path = `/v1/videos/${item.videoId}/result`;
  // A player cannot send a token itself.
  item.resultUrl = token() ? URL.createObjectURL(await fetchBlob(path, "video/mp4")) : path;
}

function progressOf({ state, frames_done: done, frames_total: total }) {
  if (total) return { text: `Frame ${done} of ${total}`, fraction: done / total };
  const begun = done ? `Frame ${done}` : "Reading the video";
  return { text: state === "queued" ? "Waiting for its turn" : begun, fraction: null };
}

/** Let the server forget a video that was removed from the page. */
export function stopVideo(item) {
  if (item.videoId) deleteVideo(item.videoId);
  if (item.resultUrl?.startsWith("blob:")) URL.revokeObjectURL(item.resultUrl);
}
