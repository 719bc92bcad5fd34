// A ball that is not there: placed on a surface of the photo, lit, with its shadow, hidden by whatever is nearer.

import { normalAt, unproject } from "./geometry.js";

export const BALL = `
uniform vec3 centre;   // metres, camera axes
uniform vec3 ground;   // normal of the surface it lies on
uniform float radius;  // metres; 0: no ball
uniform vec3 tint;
uniform float mirror;  // 0 painted, 1 chrome
// From above, a little from behind: the shadow falls to where it is seen.
const vec3 LIGHT = vec3(-0.3, -0.924, 0.24);

// How much of the sky above the surface the ball takes away (exact for a ball above a plane), and its soft shadow.
float shade(vec3 point) {
  vec3 there = centre - point;
  float apart2 = max(dot(there, there), radius * radius);
  float taken = max(0.0, dot(ground, there) * inversesqrt(apart2)) * radius * radius / apart2;
  float along = dot(there, LIGHT);
  float missed = sqrt(max(0.0, dot(there, there) - along * along)) / radius;
  float shadow = along > 0.0 ? 1.0 - smoothstep(0.6, 1.3, missed) : 0.0;
  return (1.0 - 0.9 * taken) * (1.0 - 0.55 * shadow);
}

// Predicted floors have bumps, and a shadow shows each of them. Where the photo's surface is near the plane the ball
// lies on, the shadow is that on the plane.
float shadeAt(vec3 ray, float z) {
  float onScene = shade(ray * z);
  float slope = dot(ray, ground);
  if (slope > -1e-3) return onScene;
  float plane = dot(centre - ground * radius, ground) / slope;
  float close = plane > 0.0 ? 1.0 - smoothstep(0.12, 0.35, abs(z - plane) / plane) : 0.0;
  return mix(onScene, close > 0.0 ? shade(ray * plane) : 1.0, close);
}

vec3 surface(vec3 normal, vec3 ray) {
  vec3 bounced = reflect(ray, normal);
  // What it mirrors: the photo, bent as on a mirror ball. The rest of the room is not known.
  vec2 seen = (0.5 + 0.46 * bounced.xy / (1.0 + abs(bounced.z) * 0.5)) * size;
  float edge = pow(1.0 - max(0.0, dot(normal, -ray)), 4.0);
  vec3 around = pictureAt(clamp(seen, vec2(1.0), size - 1.0), mix(5.0, 1.5, mirror));
  vec3 above = pictureAt(vec2(0.5, 0.2) * size, 8.0);
  vec3 below = pictureAt(vec2(0.5, 0.85) * size, 8.0);
  vec3 ambient = mix(below, above, 0.5 - 0.5 * normal.y);
  // Close to the surface the ball shades itself.
  float open = 0.25 + 0.75 * smoothstep(-1.0, 0.5, dot(normal, ground));
  float lit = max(0.0, dot(normal, LIGHT));
  vec3 painted = tint * (ambient * 0.7 + 0.1 + lit) * open + (0.02 + 0.3 * edge) * around;
  vec3 chrome = around * (0.85 + 0.25 * lit) * open + 0.03;
  float gloss = pow(max(0.0, dot(bounced, LIGHT)), mix(60.0, 220.0, mirror));
  return mix(painted, chrome, mirror) + gloss * 0.85;
}

void main() {
  float z = depthAt(pixel);
  vec3 ray = vec3((pixel - 0.5 * size) / focalPx, 1.0);
  vec3 light = pictureAt(pixel, 0.0);
  if (radius <= 0.0) {
    color = shown(light);
    return;
  }
  light *= shadeAt(ray, z);
  float a = dot(ray, ray), b = dot(ray, centre), c = dot(centre, centre);
  // Where the ray passes the centre, and how many pixels inside the outline that is.
  float passed = sqrt(max(0.0, c - b * b / a));
  float inside = clamp((radius - passed) * focalPx / centre.z + 0.5, 0.0, 1.0);
  float near = (b - sqrt(max(0.0, b * b - a * (c - radius * radius)))) / a;
  // The depth of a photo is never exact: a hair's breadth in front does not hide.
  float visible = near > 0.0 ? smoothstep(-0.004, 0.004, z * 1.015 / near - 1.0) : 0.0;
  if (inside * visible > 0.0) {
    vec3 normal = normalize(ray * near - centre);
    light = mix(light, surface(normal, normalize(ray)), inside * visible);
  }
  color = shown(light);
}`;

export const PAINTS = {
  red: { tint: [0.72, 0.05, 0.04], mirror: 0 },
  white: { tint: [0.8, 0.8, 0.78], mirror: 0 },
  blue: { tint: [0.03, 0.14, 0.6], mirror: 0 },
  chrome: { tint: [1, 1, 1], mirror: 1 },
};

/** Uniforms for a ball of `diameterM` lying on the surface at `point`; without a point there is none. */
export function ballUniforms(depth, point, diameterM, paint) {
  const nothing = { centre: [0, 0, 1], ground: [0, -1, 0], radius: 0, ...PAINTS[paint] };
  if (!point) return nothing;
  const { column, row } = depth.pixelAt(point);
  const depthM = depth.at(column, row);
  if (!depthM) return nothing;
  const touched = unproject(depth.camera, column + 0.5, row + 0.5, depthM);
  const window = Math.max(3, Math.round(depth.width * 0.02));
  const back = touched.map((value) => -value / Math.hypot(...touched));
  const ground = levelled(normalAt(depth, column, row, window) ?? back, back);
  const radius = diameterM / 2;
  return { centre: touched.map((value, i) => value + ground[i] * radius), ground, radius, ...PAINTS[paint] };
}

/**
 * Floors and tables are level and predicted depth is rough: what faces upwards by 20 degrees counts as level, and so
 * does what we look down on by 12 degrees, where the floor is likelier than a wall.
 */
function levelled(normal, back) {
  return -normal[1] > 0.34 || -back[1] > 0.2 ? [0, -1, 0] : normal;
}
