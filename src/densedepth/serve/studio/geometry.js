// Pinhole geometry, all lengths in metres. Pixel (row r, column c) covers [c, c + 1] x [r, r + 1], so its centre is
// (c + 0.5, r + 0.5). Camera axes: x right, y down, z forward. A camera is {focalPx, width, height} and its principal
// point is the middle of the picture.

const FILM_DIAGONAL_MM = Math.hypot(36, 24);

/** The point in space that lies `depthM` along the optical axis behind image point (x, y). */
export function unproject(camera, x, y, depthM) {
  const perPx = depthM / camera.focalPx;
  return [(x - camera.width / 2) * perPx, (y - camera.height / 2) * perPx, depthM];
}

/** Metres between two points in space. */
export function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** 35mm-equivalent focal length in millimetres, by the diagonal. */
export function focal35mm(camera) {
  return (camera.focalPx / Math.hypot(camera.width, camera.height)) * FILM_DIAGONAL_MM;
}

/** Horizontal field of view in degrees. */
export function fovDeg(camera) {
  return (2 * Math.atan(camera.width / 2 / camera.focalPx) * 180) / Math.PI;
}

/** Diameter in pixels of the blur of a thin lens with an opening of `apertureM`, focused at `focusM`. */
export function blurPx(focalPx, apertureM, focusM, depthM) {
  return apertureM * focalPx * Math.abs(1 / focusM - 1 / depthM);
}

/**
 * Unit normal of the plane that fits the surface around a pixel best, turned towards the camera; null where fewer than
 * six pixels around it lie on the same surface.
 *
 * In a pinhole picture 1 / depth of a plane is linear in the image: a x + b y + c, with (x, y) divided by the focal
 * length. Its normal is (a, b, c). Three unknowns, solved by least squares.
 */
export function normalAt(depth, column, row, radius) {
  const { camera } = depth;
  const middleM = depth.at(column, row);
  if (!middleM) return null;
  const sums = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  let count = 0;
  const stride = Math.max(1, Math.floor(radius / 6));
  for (let dy = -radius; dy <= radius; dy += stride) {
    for (let dx = -radius; dx <= radius; dx += stride) {
      const depthM = depth.at(column + dx, row + dy);
      // Another surface: a table's edge must not tilt the table.
      if (!depthM || Math.abs(depthM - middleM) > 0.15 * middleM) continue;
      const x = (column + dx + 0.5 - camera.width / 2) / camera.focalPx;
      const y = (row + dy + 0.5 - camera.height / 2) / camera.focalPx;
      [x * x, x * y, x, y * y, y, 1, x / depthM, y / depthM, 1 / depthM].forEach((term, i) => (sums[i] += term));
      count += 1;
    }
  }
  if (count < 6) return null;
  const [xx, xy, x, yy, y, one, xw, yw, w] = sums;
  const plane = solve3([xx, xy, x, xy, yy, y, x, y, one], [xw, yw, w]);
  if (!plane) return null;
  const length = Math.hypot(...plane);
  // 1 / depth is positive where we look: -(a, b, c) points back at the camera.
  return plane.map((value) => -value / length);
}

/** x of A x = b for a 3 x 3 matrix in rows (Cramer's rule); null when it has no single solution. */
function solve3(matrix, right) {
  const whole = determinant(matrix);
  if (Math.abs(whole) < 1e-18) return null;
  return [0, 1, 2].map((column) => {
    const changed = matrix.map((value, i) => (i % 3 === column ? right[Math.floor(i / 3)] : value));
    return determinant(changed) / whole;
  });
}

function determinant([a, b, c, d, e, f, g, h, i]) {
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}
