"""The OpenGL programs. Camera axes are x right, y down, z forward; row 0 of every target is the top of the photo.

Colours are drawn at twice the photo's resolution, everything else at the centres of its pixels. Then each is lit:
windows as rectangles, lamps as points, the sun as a direction, each with a shadow map; what other surfaces throw back
is estimated around every pixel from the picture itself (screen-space occlusion and one bounce of colour).
"""

from __future__ import annotations

import math

MAX_LIGHTS = 4
LARGE = 1000
"""Texture layers from here on are in the array of large textures."""


def _disc(name: str, length: str, taps: int, power: float) -> str:
    """GLSL for points on a spiral in the unit disc, at radius (k / taps) ** power."""
    radii = [((k + 0.5) / taps) ** power for k in range(taps)]
    # The golden angle spreads any number of points evenly.
    points = [(r * math.cos(k * 2.399963), r * math.sin(k * 2.399963)) for k, r in enumerate(radii)]
    listed = ", ".join(f"vec2({x:.6f}, {y:.6f})" for x, y in points)
    return f"const int {length} = {taps};\nconst vec2 {name}[{length}] = vec2[{length}]({listed});\n"


SURFACE_VERTEX = """#version 330
uniform mat4 view;
uniform mat4 projection;
in vec3 point;
in vec3 normal;
in vec2 uv;
in vec4 color;
in vec4 marks;
out vec3 seen_normal;
out vec2 at;
out vec4 tone;
flat out vec4 mark;
out float distance_m;
void main() {
    vec4 seen = view * vec4(point, 1.0);
    gl_Position = projection * seen;
    seen_normal = mat3(view) * normal;
    at = uv;
    tone = color;
    mark = marks;
    distance_m = seen.z;
}
"""

# marks: texture layer (0 none, 1.. small, LARGE.. large), object, glow, unused
ALBEDO = (
    f"\n#define LARGE {LARGE}.0"
    + """
uniform sampler2DArray small;
uniform sampler2DArray large;
vec4 albedo(float layer, vec2 at) {
    if (layer < 0.5) return vec4(1.0);
    if (layer < LARGE - 0.5) return texture(small, vec3(at, layer - 1.0));
    return texture(large, vec3(at, layer - LARGE));
}
"""
)

SURFACE_FRAGMENT = (
    """#version 330
in vec3 seen_normal;
in vec2 at;
in vec4 tone;
flat in vec4 mark;
in float distance_m;
out vec4 out_color;
"""
    + ALBEDO
    + """
void main() {
    vec4 texel = albedo(mark.x, at);
    if (texel.a < 0.5) discard;
    out_color = vec4(tone.rgb * texel.rgb, tone.a);
}
"""
)

# At the very centres of the photo's pixels: depth and object number, normal and glow.
EXACT_FRAGMENT = (
    """#version 330
in vec3 seen_normal;
in vec2 at;
in vec4 tone;
flat in vec4 mark;
in float distance_m;
layout(location = 0) out vec2 out_depth;
layout(location = 1) out vec4 out_normal;
"""
    + ALBEDO
    + """
void main() {
    if (mark.x > 0.5 && albedo(mark.x, at).a < 0.5) discard;
    out_depth = vec2(distance_m, mark.y);
    // Between opposite normals of one triangle there is none: then it faces the camera.
    vec3 n = dot(seen_normal, seen_normal) > 1e-4 ? normalize(seen_normal) : vec3(0.0, 0.0, -1.0);
    out_normal = vec4(n, mark.z);
}
"""
)

SHADOW_VERTEX = """#version 330
uniform mat4 light;
in vec3 point;
void main() { gl_Position = light * vec4(point, 1.0); }
"""

SHADOW_FRAGMENT = """#version 330
void main() {}
"""

FULL_SCREEN = """#version 330
void main() {
    vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
"""

LIGHTS = (
    "#define MAX_LIGHTS "
    + str(MAX_LIGHTS)
    + """
uniform vec4 lens;               // fx, fy, cx, cy in pixels of the photo
uniform mat4 to_room;
uniform int lights;
uniform int kinds[MAX_LIGHTS];   // 0 window, 1 lamp, 2 sun
uniform vec3 places[MAX_LIGHTS]; // window: centre, lamp: position, sun: direction towards it
vec3 position(vec2 pixel, float z) { return vec3((pixel - lens.zw) / lens.xy * z, z); }
"""
)

# At the photo's resolution: what share of each light arrives, and what near surfaces hide and throw back.
GATHER = (
    """#version 330
"""
    + LIGHTS
    + """
uniform sampler2D depths;
uniform sampler2D normals;
uniform sampler2D colors;
uniform sampler2DShadow shadows; // the maps of all lights side by side
uniform mat4 maps[MAX_LIGHTS];
uniform float softness[MAX_LIGHTS];
uniform float spread[MAX_LIGHTS];// metres that one unit of softness covers
uniform vec2 size;
"""
    + _disc("NEAR_DISC", "TAPS", 18, 2.0)
    + _disc("SHADOW_DISC", "SHADOW_TAPS", 7, 0.5)
    + """
layout(location = 0) out vec4 bounce; // rgb: colour thrown back by near surfaces, a: open share of the hemisphere
layout(location = 1) out vec4 shares; // of the lights
const float REACH = 0.7;

float shadow(int k, vec3 p, vec3 n, mat2 turn) {
    // A tilted surface must not shade itself within the soft edge.
    vec4 q = maps[k] * vec4(p + n * (0.015 + 0.4 * softness[k] * spread[k]), 1.0);
    if (q.w <= 0.0) return 1.0;
    vec3 at = q.xyz / q.w * 0.5 + 0.5;
    if (any(lessThan(at, vec3(0.0))) || any(greaterThan(at, vec3(1.0)))) return kinds[k] == 2 ? 0.0 : 1.0;
    float lit = 0.0;
    for (int tap = 0; tap < SHADOW_TAPS; ++tap) {
        vec2 there = clamp(at.xy + turn * SHADOW_DISC[tap] * (softness[k] / max(q.w, 0.4)), 0.001, 0.999);
        lit += texture(shadows, vec3((there.x + float(k)) / float(MAX_LIGHTS), there.y, at.z - 0.0004));
    }
    return lit / float(SHADOW_TAPS);
}

void main() {
    vec2 pixel = gl_FragCoord.xy;
    float z = texelFetch(depths, ivec2(pixel), 0).x;
    bounce = vec4(0.0);
    shares = vec4(0.0);
    if (z <= 0.0) return;
    vec3 p = position(pixel, z);
    vec3 n = normalize(texelFetch(normals, ivec2(pixel), 0).xyz);
    if (dot(n, p) > 0.0) n = -n;
    float angle = fract(52.9829189 * fract(dot(pixel, vec2(0.06711056, 0.00583715)))) * 6.2831853;
    mat2 turn = mat2(cos(angle), sin(angle), -sin(angle), cos(angle));
    float radius = REACH * lens.x / z;
    float closed = 0.0;
    vec3 thrown = vec3(0.0);
    for (int k = 0; k < TAPS; ++k) {
        vec2 there = pixel + turn * NEAR_DISC[k] * radius;
        if (any(lessThan(there, vec2(0.0))) || any(greaterThanEqual(there, size))) continue;
        vec3 d = position(floor(there) + 0.5, texelFetch(depths, ivec2(there), 0).x) - p;
        float far2 = dot(d, d);
        float facing = max(0.0, dot(d, n) * inversesqrt(far2 + 1e-6) - 0.06) * max(0.0, 1.0 - far2 / (REACH * REACH));
        closed += facing;
        vec3 color = texture(colors, there / size).rgb;
        thrown += facing * color * color;
    }
    float scale = 2.4 / float(TAPS);
    bounce = vec4(thrown * scale, clamp(1.0 - closed * scale, 0.0, 1.0));
    vec3 room_p = (to_room * vec4(p, 1.0)).xyz;
    vec3 room_n = mat3(to_room) * n;
    float found[4] = float[4](0.0, 0.0, 0.0, 0.0);
    for (int k = 0; k < lights; ++k) {
        vec3 to = kinds[k] == 2 ? places[k] : places[k] - room_p;
        found[k] = dot(room_n, normalize(to)) > -0.25 ? shadow(k, room_p, room_n, turn) : 0.0;
    }
    shares = vec4(found[0], found[1], found[2], found[3]);
}
"""
)

# The few taps leave grain: mean over neighbours on the same surface.
SMOOTH = """#version 330
uniform sampler2D depths;
uniform sampler2D flat_normals;
uniform sampler2D bounces;
uniform sampler2D raw_shares;
layout(location = 0) out vec4 bounce;
layout(location = 1) out vec4 shares;
void main() {
    ivec2 cell = ivec2(gl_FragCoord.xy);
    ivec2 last = textureSize(depths, 0) - 1;
    float z = texelFetch(depths, cell, 0).x;
    vec3 n = texelFetch(flat_normals, cell, 0).xyz;
    float weight = 0.0;
    bounce = vec4(0.0);
    shares = vec4(0.0);
    if (z <= 0.0) return;
    for (int dy = -1; dy <= 1; ++dy) for (int dx = -1; dx <= 1; ++dx) {
        ivec2 there = clamp(cell + ivec2(dx, dy), ivec2(0), last);
        float same = 0.01 / (0.01 + abs(texelFetch(depths, there, 0).x - z) / z);
        same *= 0.02 + abs(dot(n, texelFetch(flat_normals, there, 0).xyz));
        bounce += same * texelFetch(bounces, there, 0);
        shares += same * texelFetch(raw_shares, there, 0);
        weight += same;
    }
    bounce /= weight;
    shares /= weight;
}
"""

LIGHTING = (
    """#version 330
"""
    + LIGHTS
    + """
uniform sampler2D colors;
uniform sampler2D normals;
uniform sampler2D depths;
uniform sampler2D bounces;
uniform sampler2D all_shares;
uniform int factor;              // colours per pixel and side
uniform vec3 facings[MAX_LIGHTS];
uniform vec3 rights[MAX_LIGHTS]; // window: half its width along the wall
uniform vec2 extents[MAX_LIGHTS];// window: half height, area; lamp: radius
uniform vec3 powers[MAX_LIGHTS];
uniform vec3 ambient_up;
uniform vec3 ambient_side;
uniform vec3 ambient_down;
out vec4 light;

void main() {
    ivec2 cell = ivec2(gl_FragCoord.xy);
    float z = texelFetch(depths, cell, 0).x;
    vec4 normal = texelFetch(normals, cell, 0);
    vec4 color = vec4(0.0);
    for (int y = 0; y < factor; ++y) for (int x = 0; x < factor; ++x) {
        vec4 part = texelFetch(colors, cell * factor + ivec2(x, y), 0);
        color += vec4(pow(part.rgb, vec3(2.2)), part.a);
    }
    vec3 base = color.rgb / float(factor * factor);
    float gloss = color.a / float(factor * factor);
    if (z <= 0.0) { light = vec4(0.0); return; }
    if (normal.w > 0.0) { light = vec4(base * normal.w, 1.0); return; }
    vec3 seen = position(gl_FragCoord.xy, z);
    vec3 n = normalize(normal.xyz);
    vec3 eye = -normalize(seen);
    if (dot(n, eye) < 0.0) n = -n;
    vec3 p = (to_room * vec4(seen, 1.0)).xyz;
    n = mat3(to_room) * n;
    eye = mat3(to_room) * eye;
    vec4 bounce = texelFetch(bounces, cell, 0);
    vec4 shares = texelFetch(all_shares, cell, 0);
    float open = bounce.a;

    vec3 ambient = n.z > 0.0 ? mix(ambient_side, ambient_up, n.z) : mix(ambient_side, ambient_down, -n.z);
    vec3 arriving = ambient * (open + bounce.rgb * 0.9);
    vec3 mirrored = ambient * 0.7;
    vec3 ray = reflect(-eye, n);
    float fresnel = 0.04 + 0.6 * pow(clamp(1.0 - dot(n, eye), 0.0, 1.0), 5.0);
    for (int k = 0; k < lights; ++k) {
        vec3 power = powers[k] * shares[k];
        if (kinds[k] == 2) {
            arriving += power * max(0.0, dot(n, places[k]));
            continue;
        }
        vec3 d = places[k] - p;
        float far2 = dot(d, d);
        vec3 to = d * inversesqrt(far2 + 1e-8);
        if (kinds[k] == 0) {
            // A rectangle that glows evenly; the half turned away still sees part of it, so the cosine is wrapped.
            float cosine = max(0.0, (dot(n, to) + 0.2) / 1.2);
            float sent = max(0.0, -dot(facings[k], to)) * extents[k].y / (far2 + extents[k].y * 0.32);
            arriving += power * cosine * sent;
            float along = dot(ray, facings[k]);
            if (gloss > 0.02 && along < -0.001) {
                float t = dot(d, facings[k]) / along;
                vec3 hit = p + ray * t - places[k];
                float half_width = length(rights[k]);
                float over = max(abs(dot(hit, rights[k] / half_width)) - half_width, abs(hit.z) - extents[k].x);
                float blur = 0.05 + t * mix(0.35, 0.03, gloss);
                mirrored += powers[k] * 0.9 * smoothstep(blur, -blur, over);
            }
        } else {
            arriving += power * max(0.0, (dot(n, to) + 0.1) / 1.1) / (far2 + extents[k].x);
            float exponent = mix(8.0, 200.0, gloss);
            mirrored += powers[k] * 0.02 * exponent * pow(max(dot(ray, to), 0.0), exponent) / (far2 + 0.5);
        }
    }
    light = vec4((base * arriving + mirrored * fresnel * gloss * (0.3 + 0.7 * open)) / 3.14159, 1.0);
}
"""
)
