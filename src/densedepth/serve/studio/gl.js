// What the drawing modes share of WebGL 2: the context, programs, uniforms, and photo and depth as textures.

/** A WebGL 2 context, or null where the browser has none. `restored()` is called when one that was lost is back. */
export function context(canvas, restored) {
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", restored);
  return canvas.getContext("webgl2", { antialias: true, alpha: true, premultipliedAlpha: true });
}

/** Compile and link; an error here is a fault in our shaders, told in full. */
export function program(gl, vertex, fragment) {
  const linked = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, `#version 300 es\nprecision highp float;\nprecision highp int;\n${source}`);
    gl.compileShader(shader);
    gl.attachShader(linked, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new Error(gl.getShaderInfoLog(shader));
    }
  }
  gl.linkProgram(linked);
  if (!gl.getProgramParameter(linked, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(gl.getProgramInfoLog(linked));
  }
  return linked;
}

/** Set uniforms by the kind of their value: {name: number | [x, y, ...]}; whole ones under {int: {name: ...}}. */
export function setUniforms(gl, linked, { int = {}, ...floats }) {
  for (const [name, value] of Object.entries(floats)) {
    const place = gl.getUniformLocation(linked, name);
    if (typeof value === "number") gl.uniform1f(place, value);
    else if (value.length === 9) gl.uniformMatrix3fv(place, false, value);
    else gl[`uniform${value.length}fv`](place, value);
  }
  for (const [name, value] of Object.entries(int)) {
    const place = gl.getUniformLocation(linked, name);
    if (typeof value === "number") gl.uniform1i(place, value);
    else gl[`uniform${value.length}iv`](place, value);
  }
}

/** Depth in metres as texture 0: one float a pixel, read with texelFetch. */
export function uploadDepth(gl, texture, depth) {
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, depth.width, depth.height, 0, gl.RED, gl.FLOAT, depth.depthM);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  clampToEdge(gl);
}

/** A picture as texture 1, with smaller copies of itself. */
export function uploadPicture(gl, texture, picture) {
  gl.activeTexture(gl.TEXTURE1);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
  clampToEdge(gl);
  gl.generateMipmap(gl.TEXTURE_2D);
}

function clampToEdge(gl) {
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
}
