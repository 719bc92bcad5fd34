// Depth as colour: maps from near to far, and the picture and the scale drawn with them.

// 33 evenly spaced colours of each map (RRGGBB), near to far. Between two of them colours are mixed.
const STOPS = {
  turbo:
    "7a0403950d01ac1701c02302d23105e04009ec520ff56817fb8022fe982cfdae35f8c03aedd03adee037cced34b8f735a3fd3c" +
    "8aff4d6bfd644cf97e31f2991ee8b018dcc31dcdd829bbec37a7fa4293ff467ff6466be34456c74040a1392a7330123b",
  viridis:
    "fde725eae51ad5e21ac0df24abdc3296d83f82d34c6ece585dc9634cc26c3ebc7431b57b28ae8021a6851f9f881f988b21908c" +
    "23898e26818e297a8e2c728e2f6a8e33638d375a8d3b528b3f4989424086453681472d7b48237448186a470d60440154",
  magma:
    "fcfdbffceeb0fde0a2fed194fec387feb47bfea571fd9668fb8761f9785df5695cee5c5ee65163db486acf4170c33b75b63779" +
    "a9327d9c2e7f8f2a81822681762181691c815d177f50127c430f7636106a28115a1d1146130d330a0822030311000004",
  grey: "ffffff000000",
};

const tables = new Map();

/** The 256 colours of a map as a Uint8Array of RGB triples, near to far. */
export function colorTable(name) {
  if (!tables.has(name)) tables.set(name, mixed(STOPS[name]));
  return tables.get(name);
}

function mixed(stops) {
  const count = stops.length / 6;
  const channel = (stop, i) => parseInt(stops.slice(stop * 6 + i * 2, stop * 6 + i * 2 + 2), 16);
  const table = new Uint8Array(256 * 3);
  for (let entry = 0; entry < 256; entry += 1) {
    const position = (entry / 255) * (count - 1);
    const left = Math.min(count - 2, Math.floor(position));
    for (let i = 0; i < 3; i += 1) {
      const share = position - left;
      table[entry * 3 + i] = Math.round(channel(left, i) * (1 - share) + channel(left + 1, i) * share);
    }
  }
  return table;
}

/** Draw a depth map linearly in metres between `range`; pixels without depth are black. */
export function drawDepth(canvas, depth, range, name) {
  const picture = new ImageData(depth.width, depth.height);
  const table = colorTable(name);
  const [near, far] = range;
  const scale = 255 / Math.max(far - near, 1e-6);
  const { data } = picture;
  for (let i = 0, out = 0; i < depth.depthM.length; i += 1, out += 4) {
    const value = depth.depthM[i];
    if (value > 0) {
      const entry = 3 * Math.max(0, Math.min(255, Math.round((value - near) * scale)));
      data[out] = table[entry];
      data[out + 1] = table[entry + 1];
      data[out + 2] = table[entry + 2];
    }
    data[out + 3] = 255;
  }
  put(canvas, picture);
}

/** Draw a veil that is the denser the less certain the depth is, over the shares that `depth.uncertainShares` spans. */
export function drawVeil(canvas, depth) {
  const picture = new ImageData(depth.width, depth.height);
  const { data } = picture;
  const [low, high] = depth.uncertainShares;
  for (let i = 0; i < depth.depthM.length; i += 1) {
    const share = depth.depthM[i] > 0 ? depth.uncertaintyM[i] / depth.depthM[i] : 0;
    // Stripes, so that the veil cannot be taken for a colour of the map.
    const stripe = (Math.floor(i / depth.width) + (i % depth.width)) % 8 < 4 ? 255 : 225;
    data.fill(stripe, i * 4, i * 4 + 3);
    data[i * 4 + 3] = Math.round(235 * Math.max(0, Math.min(1, (share - low) / (high - low))));
  }
  put(canvas, picture);
}

function put(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** The map as a CSS gradient from left (near) to right (far). */
export function gradient(name) {
  const table = colorTable(name);
  const stops = [];
  for (let entry = 0; entry < 256; entry += 15) stops.push(`rgb(${table.slice(entry * 3, entry * 3 + 3).join(" ")})`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** Round numbers of metres inside a range, about `count` of them. */
export function ticks([near, far], count) {
  const rough = (far - near) / count;
  if (!(rough > 0)) return [near];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const values = [];
  for (let i = Math.ceil(near / step); i * step <= far + step * 1e-6; i += 1) {
    values.push(Number((i * step).toFixed(6)));
  }
  return values;
}
