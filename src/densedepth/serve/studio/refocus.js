// Depth of field after the fact: the blur that a lens of a real size, focused at a real distance, would have given.

import { blurPx } from "./geometry.js";

// Wider than this the samples of one pixel lie too far apart.
const WIDEST_SHARE = 0.045;

/**
 * Every pixel gathers light from a disc around it. Another pixel gives light as far as its own blur reaches (so a sharp
 * thing in front never bleeds into the blur behind it), and one that lies behind gives no farther than the blur here
 * (so the blur behind never creeps over a sharp edge in front).
 */
export const REFOCUS = `
uniform float apertureM, focusM, reachPx;
const int SAMPLES = 112;

float radiusPx(float z) { return min(reachPx, 0.5 * apertureM * focalPx * abs(1.0 / focusM - 1.0 / z)); }

void main() {
  float z = depthAt(pixel);
  float here = radiusPx(z);
  float own = 1.0 / max(here * here, 0.3);
  vec3 light = pictureAt(pixel, 0.0) * own;
  float weight = own;
  float perSample = reachPx * reachPx / float(SAMPLES);
  // Copies that are half as large hide the gaps between samples.
  float level = clamp(log2(reachPx * 2.0 / sqrt(float(SAMPLES))), 0.0, 2.0);
  // A different turn for every pixel: grain in place of rings.
  float turn = fract(52.9829189 * fract(dot(floor(pixel), vec2(0.06711056, 0.00583715)))) * 6.2831853;
  for (int i = 0; i < SAMPLES; i++) {
    float away = reachPx * sqrt((float(i) + 0.5) / float(SAMPLES));
    float angle = float(i) * 2.3999632 + turn;
    vec2 place = pixel + away * vec2(cos(angle), sin(angle));
    if (any(lessThan(place, vec2(0.0))) || any(greaterThanEqual(place, size))) continue;
    float other = depthAt(place);
    float radius = radiusPx(other);
    if (other > z * 1.02) radius = min(radius, here);
    float share = clamp(radius - away + 0.5, 0.0, 1.0) * perSample / max(radius * radius, 0.3);
    light += share * pictureAt(place, radius > 2.0 ? level : 0.0);
    weight += share;
  }
  color = shown(light / weight);
}`;

/** Uniforms of the shader for a lens opening of `apertureM`, focused at `focusM`. */
export function refocusUniforms(depth, apertureM, focusM) {
  const [near, far] = depth.rangeM;
  const widest = Math.max(...[near, far].map((depthM) => blurPx(depth.camera.focalPx, apertureM, focusM, depthM)));
  const reachPx = Math.max(0.5, Math.min(WIDEST_SHARE * Math.max(depth.width, depth.height), widest / 2));
  return { apertureM, focusM, reachPx };
}
