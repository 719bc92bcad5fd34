// A depth map in the browser: metres for every pixel, as the server sent them.

/** Depth of one photo. `depthM` is a Float32Array in rows; 0 stands for "no depth here". */
export class Depth {
  constructor({ depthM, uncertaintyM = null, width, height, focalPx, cameraSource, model }) {
    Object.assign(this, { depthM, uncertaintyM, width, height, cameraSource, model });
    this.camera = { focalPx, width, height };
  }

  /** Metres at a pixel; 0 outside the picture and where nothing is known. */
  at(column, row) {
    if (column < 0 || row < 0 || column >= this.width || row >= this.height) return 0;
    const value = this.depthM[row * this.width + column];
    return value > 0 && Number.isFinite(value) ? value : 0;
  }

  /** The pixel under the point (u, v), both 0 to 1 from the top left corner. */
  pixelAt({ u, v }) {
    return {
      column: Math.min(this.width - 1, Math.max(0, Math.floor(u * this.width))),
      row: Math.min(this.height - 1, Math.max(0, Math.floor(v * this.height))),
    };
  }

  /** Uncertainty in metres at a pixel, or null when the model gives none. */
  uncertaintyAt(column, row) {
    return this.uncertaintyM ? this.uncertaintyM[row * this.width + column] : null;
  }

  /** [near, far]: the 1st and 99th percentile of the valid depth, or [0, 1] for a map without depth. */
  get rangeM() {
    this.cachedRange ??= percentiles(this.depthM, 0.01, 0.99);
    return this.cachedRange;
  }

  /** [low, high]: the 10th and 99th percentile of uncertainty / depth, 5 % apart at least; null where not known. */
  get uncertainShares() {
    if (!this.uncertaintyM) return null;
    if (!this.cachedShares) {
      const [low, high] = percentiles(this.uncertaintyM.map((errorM, i) => errorM / this.depthM[i]), 0.1, 0.99);
      this.cachedShares = [low, Math.max(high, low + 0.05)];
    }
    return this.cachedShares;
  }
}

function percentiles(values, low, high) {
  // 100,000 values place a percentile well enough, and sorting them takes milliseconds.
  const stride = Math.max(1, Math.floor(values.length / 100_000));
  const sample = [];
  for (let i = 0; i < values.length; i += stride) {
    if (values[i] > 0 && Number.isFinite(values[i])) sample.push(values[i]);
  }
  if (!sample.length) return [0, 1];
  const sorted = Float32Array.from(sample).sort();
  const pick = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return [pick(low), pick(high)];
}
