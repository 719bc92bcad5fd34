// A picture computed from photo and depth by a shader, pixel by pixel: what refocus and ball are drawn with.

import { context, program, setUniforms, uploadDepth, uploadPicture } from "./gl.js";

// One triangle that covers the picture; `pixel` counts from the top left corner as in the depth map.
const VERTEX = `
uniform vec2 size;
out vec2 pixel;
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  pixel = (corner * vec2(0.5, -0.5) + 0.5) * size;
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const COMMON = `
uniform highp sampler2D depthM;
uniform sampler2D picture;
uniform vec2 size;
uniform float focalPx;
in vec2 pixel;
out vec4 color;

float depthAt(vec2 place) {
  float z = texelFetch(depthM, clamp(ivec2(place), ivec2(0), ivec2(size) - 1), 0).r;
  // Without depth: as far as can be.
  return z > 0.0 ? z : 1e4;
}
// Light adds up in linear intensity, not in the numbers of a file.
vec3 linear(vec3 srgb) { return pow(srgb, vec3(2.2)); }
vec3 pictureAt(vec2 place, float level) { return linear(textureLod(picture, place / size, level).rgb); }
vec4 shown(vec3 light) { return vec4(pow(clamp(light, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0); }
`;

/** Draws with one of several fragment shaders, {name: source of a main() that uses the functions above}. */
export class Effect {
  constructor(canvas, shaders) {
    this.canvas = canvas;
    this.shaders = shaders;
    this.gl = context(canvas, () => {
      this.#build();
      if (this.depth) this.#upload();
      if (this.last) this.draw(...this.last);
    });
    if (this.gl) this.#build();
  }

  #build() {
    const { gl } = this;
    this.textures = [gl.createTexture(), gl.createTexture()];
    this.programs = {};
    for (const [name, source] of Object.entries(this.shaders)) {
      this.programs[name] = program(gl, VERTEX, COMMON + source);
    }
  }

  /** Take the photo and its depth; nothing happens when they are already there. */
  load(depth, picture) {
    if (!this.gl || (this.depth === depth && this.picture === picture)) return;
    Object.assign(this, { depth, picture });
    Object.assign(this.canvas, { width: depth.width, height: depth.height });
    this.#upload();
  }

  #upload() {
    uploadDepth(this.gl, this.textures[0], this.depth);
    uploadPicture(this.gl, this.textures[1], this.picture);
  }

  /** Draw with the shader `name`, now: the canvas can be read right after. */
  draw(name, uniforms) {
    const { gl, depth } = this;
    if (!gl || !depth) return;
    this.last = [name, uniforms];
    gl.viewport(0, 0, depth.width, depth.height);
    gl.useProgram(this.programs[name]);
    setUniforms(gl, this.programs[name], {
      size: [depth.width, depth.height],
      focalPx: depth.camera.focalPx,
      ...uniforms,
      int: { depthM: 0, picture: 1, ...uniforms.int },
    });
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}
