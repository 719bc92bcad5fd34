// The photo in space: every pixel a point, or the pixels joined to a surface, drawn with WebGL 2. There are no buffers:
// the number of a vertex says which pixel it is, and its depth is read from a texture.

import { context, program, setUniforms, uploadDepth, uploadPicture } from "./gl.js";

// More points than this are thinned out evenly.
const MOST_POINTS = 900_000;

// Flying pixels and torn edges are found as in densedepth.io.surface, on nearness (1 / depth), so that the slider here
// and `flying_pixels` of the server mean the same: the surface breaks where it would be seen under a smaller angle.
const VERTEX = `
uniform highp sampler2D depthM;
uniform ivec2 size;      // of the depth map
uniform int stride;      // every n-th pixel of a row and column
uniform int columns;     // points in a row
uniform int surface;     // 0 points, 1 surface
uniform int reach;       // how far a surface's own slant is looked for, pixels
uniform float steepest;  // relative change of nearness over a pixel from which on it breaks
uniform float focalPx, viewFocalPx, pointSize;
uniform vec2 viewport;   // pixels of the canvas
uniform vec3 eye;
uniform mat3 turn;       // camera axes of the view: right, down, forward
uniform vec2 clip;       // nearest and farthest depth that is drawn
out vec2 uv;

const ivec2 CORNERS[6] = ivec2[6](ivec2(0, 0), ivec2(0, 1), ivec2(1, 0), ivec2(1, 0), ivec2(0, 1), ivec2(1, 1));
const ivec2 ACROSS = ivec2(1, 0), DOWN = ivec2(0, 1);

float at(ivec2 pixel) { return texelFetch(depthM, clamp(pixel, ivec2(0), size - 1), 0).r; }
float nearness(ivec2 pixel) { float z = at(pixel); return z > 0.0 ? 1.0 / z : 0.0; }

// Change of nearness over a pixel, in the direction of a break, on the flatter of its two sides. Within a blurred edge
// one side soon ends in a wall; within a slanted surface both go on. A side that is not known says nothing.
float slopeAround(ivec2 pixel, ivec2 next, ivec2 direction, float way) {
  float flatter = 1e9;
  ivec2 left = max(pixel - direction * reach, ivec2(0)), right = min(next + direction * reach, size - 1);
  float leftWay = float(pixel.x - left.x + pixel.y - left.y), rightWay = float(right.x - next.x + right.y - next.y);
  if (leftWay > 0.0 && nearness(left) > 0.0) flatter = (nearness(pixel) - nearness(left)) * way / leftWay;
  if (rightWay > 0.0 && nearness(right) > 0.0) {
    flatter = min(flatter, (nearness(right) - nearness(next)) * way / rightWay);
  }
  return flatter < 1e9 ? flatter : 0.0;
}

// 1 where the surface goes on nearer from a pixel to the next, -1 farther, 0 where it does not break.
int breaks(ivec2 pixel, ivec2 direction, int apart) {
  ivec2 next = pixel + direction * apart;
  if (any(lessThan(pixel, ivec2(0))) || any(greaterThanEqual(next, size))) return 0;
  float here = nearness(pixel), there = nearness(next);
  float change = (there - here) / float(apart);
  if (min(here, there) <= 0.0 || abs(change) <= steepest * min(here, there)) return 0;
  return abs(change) > 3.0 * slopeAround(pixel, next, direction, sign(change)) ? int(sign(change)) : 0;
}

bool flies(ivec2 pixel) {
  return breaks(pixel, ACROSS, 1) * breaks(pixel - ACROSS, ACROSS, 1) == 1
    || breaks(pixel, DOWN, 1) * breaks(pixel - DOWN, DOWN, 1) == 1;
}

bool torn(ivec2 origin, int triangle) {
  for (int i = 0; i < 3; i++) if (at(origin + CORNERS[triangle + i] * stride) <= 0.0) return true;
  ivec2 row = origin + (triangle == 0 ? ivec2(0) : DOWN * stride);
  ivec2 column = origin + (triangle == 0 ? ivec2(0) : ACROSS * stride);
  return breaks(row, ACROSS, stride) != 0 || breaks(column, DOWN, stride) != 0;
}

void main() {
  int cell = surface == 1 ? gl_VertexID / 6 : gl_VertexID;
  ivec2 origin = ivec2(cell % columns, cell / columns) * stride;
  int corner = surface == 1 ? gl_VertexID % 6 : 0;
  ivec2 pixel = origin + CORNERS[corner] * stride;
  float z = at(pixel);
  uv = (vec2(pixel) + 0.5) / vec2(size);
  if (z <= 0.0 || (surface == 1 ? torn(origin, corner / 3 * 3) : flies(pixel))) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    gl_PointSize = 0.0;
    return;
  }
  vec3 point = vec3((vec2(pixel) + 0.5 - 0.5 * vec2(size)) * z / focalPx, z);
  vec3 seen = transpose(turn) * (point - eye);
  gl_Position = vec4(
    seen.x * 2.0 * viewFocalPx / viewport.x,
    -seen.y * 2.0 * viewFocalPx / viewport.y,
    (seen.z * (clip.y + clip.x) - 2.0 * clip.x * clip.y) / (clip.y - clip.x),
    seen.z);
  // As large as the pixel's patch of surface looks from here.
  gl_PointSize = clamp(pointSize * float(stride) * z / focalPx * viewFocalPx / max(seen.z, 0.01), 1.0, 64.0);
}`;

const FRAGMENT = `
uniform sampler2D picture;
in vec2 uv;
out vec4 color;
void main() { color = vec4(texture(picture, uv).rgb, 1.0); }`;

/** Relative change of nearness over a pixel of a surface that is seen under this angle. */
function steepest(grazingDeg, focalPx) {
  return grazingDeg > 0 ? 1 / Math.tan((grazingDeg * Math.PI) / 180) / focalPx : 1e9;
}

/** Draws one depth map in space. `options` are {surface, grazingDeg, pointSize}; 0 degrees cut nothing. */
export class Space {
  options = { surface: true, grazingDeg: 2, pointSize: 1.8 };
  #asked = false;

  constructor(canvas, orbit) {
    this.canvas = canvas;
    this.orbit = orbit;
    this.gl = context(canvas, () => {
      this.#build();
      if (this.depth) this.show(this.depth, this.picture, { keepView: true });
    });
    if (!this.gl) return;
    this.#build();
    orbit.addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  #build() {
    const { gl } = this;
    this.linked = program(gl, VERTEX, FRAGMENT);
    this.textures = [gl.createTexture(), gl.createTexture()];
    gl.enable(gl.DEPTH_TEST);
  }

  /** Show a depth map coloured by a picture (photo or colour map). */
  show(depth, picture, { keepView = false } = {}) {
    if (!this.gl) return;
    Object.assign(this, { depth, picture });
    uploadDepth(this.gl, this.textures[0], depth);
    uploadPicture(this.gl, this.textures[1], picture);
    if (!keepView) this.orbit.lookFromCamera(depth);
    this.draw();
  }

  /** Draw with the next frame of the screen. */
  draw() {
    if (this.#asked || !this.depth) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#drawNow();
    });
  }

  #drawNow() {
    const { gl, canvas, depth, orbit, options } = this;
    const density = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.round(canvas.clientWidth * density);
    const height = Math.round(canvas.clientHeight * density);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const stride = Math.ceil(Math.sqrt((depth.width * depth.height) / MOST_POINTS));
    const cells = (side) => (options.surface ? Math.floor((side - 1) / stride) : Math.ceil(side / stride));
    const columns = cells(depth.width);
    const count = columns * cells(depth.height) * (options.surface ? 6 : 1);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.linked);
    setUniforms(gl, this.linked, {
      focalPx: depth.camera.focalPx,
      // The whole photo fits into the canvas when seen from its own camera.
      viewFocalPx: depth.camera.focalPx * Math.min(width / depth.width, height / depth.height),
      steepest: steepest(options.grazingDeg, depth.camera.focalPx),
      pointSize: options.pointSize,
      viewport: [width, height],
      eye: orbit.eye,
      turn: orbit.turn,
      clip: [0.01 * orbit.scale, 40 * orbit.scale],
      int: {
        depthM: 0,
        picture: 1,
        size: [depth.width, depth.height],
        stride,
        columns,
        surface: Number(options.surface),
        reach: Math.max(8, Math.round(Math.max(depth.width, depth.height) / 20)),
      },
    });
    gl.drawArrays(options.surface ? gl.TRIANGLES : gl.POINTS, 0, count);
  }
}
