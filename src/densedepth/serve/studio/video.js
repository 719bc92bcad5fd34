// A video: handed in, waited for, its result played.

import { ApiError, deleteVideo, fetchBlob, fetchJson, postVideo } from "./api.js";
import { token } from "./token.js";

const POLL_MS = 1000;

/** Take a video through the server. Sets `item.videoId` and, at the end, `item.resultUrl`. */
export async function runVideo(item, settings, { signal, progress }) {
  item.videoId = await postVideo(item.file, settings, { signal, progress });
  for (;;) {
    const status = await fetchJson(`/v1/videos/${item.videoId}`);
    if (signal.aborted) throw new DOMException("given up", "AbortError");
    if (status.error) throw new ApiError(status.error, 0);
    if (status.state === "done") break;
    const { frames_done: done, frames_total: total } = status;
    const fraction = total ? done / total : null;
    progress({ text: total ? `Frame ${done} of ${total}` : done ? `Frame ${done}` : "Waiting for its turn", fraction });
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const path = `/v1/videos/${item.videoId}/result`;
  // A player cannot send a token itself.
  item.resultUrl = token() ? URL.createObjectURL(await fetchBlob(path, "video/mp4")) : path;
}

/** Let the server forget a video that was removed from the page. */
export function stopVideo(item) {
  if (item.videoId) deleteVideo(item.videoId);
  if (item.resultUrl?.startsWith("blob:")) URL.revokeObjectURL(item.resultUrl);
}
