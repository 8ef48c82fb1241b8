/** The one program that draws points. Shapes are signed distances, so edges are smooth at any size. */

export const VERTEX = `#version 300 es
precision highp float;
layout(location = 0) in vec3 position;
layout(location = 1) in uint code;
layout(location = 2) in uint state;
uniform mat3 rotation;
uniform vec2 scale;
uniform vec2 offset;
uniform float size;
uniform float opacity;
uniform vec3 background;
uniform bool dim;
uniform sampler2D palette;
flat out vec4 colour;
flat out float diameter;
flat out float rimmed;
flat out int shape;

void main() {
  vec3 p = rotation * position;
  vec4 entry = texelFetch(palette, ivec2(int(code), 0), 0);
  int flags = int(entry.a * 255.0 + 0.5);
  if (flags >= 128) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    gl_PointSize = 0.0;
    return;
  }
  shape = flags;
  bool chosen = dim && (state & 1u) != 0u;
  float front = smoothstep(-0.3, 0.25, p.z);
  float strength = dim && !chosen ? 0.22 : 1.0;
  float haze = mix(chosen ? 0.25 : 0.55, 0.10 * (1.0 - p.z), front);
  float solid = mix(chosen ? 0.8 : 0.38, 1.0, front);
  colour = vec4(mix(entry.rgb, background, haze), opacity * strength * solid);
  diameter = size * mix(0.62, 1.0, p.z * 0.5 + 0.5) * (chosen ? 1.35 : 1.0);
  rimmed = 0.45 * smoothstep(4.0, 8.0, diameter);
  // Chosen points come before their neighbours, but never through the sphere.
  float depth = p.z + (chosen ? 0.02 : 0.0);
  gl_Position = vec4(p.xy * scale + offset, -depth * 0.9, 1.0);
  gl_PointSize = diameter + 1.0;
}`;

export const FRAGMENT = `#version 300 es
precision highp float;
uniform vec3 background;
flat in vec4 colour;
flat in float diameter;
flat in float rimmed;
flat in int shape;
out vec4 pixel;

float outside(vec2 q) {
  if (shape == 0) return length(q) - 1.0;
  vec2 a = abs(q);
  if (shape == 1) return max(a.x, a.y) - 0.82;
  if (shape == 2) return (a.x + a.y - 1.08) * 0.7071;
  if (shape == 3) return max(a.x * 0.866 - q.y * 0.5 - 0.5, q.y - 0.62);
  if (shape == 4) return max(a.x * 0.866 + q.y * 0.5 - 0.5, -q.y - 0.62);
  return max(min(a.x, a.y) - 0.34, max(a.x, a.y) - 1.0);
}

void main() {
  float radius = diameter * 0.5;
  vec2 q = (gl_PointCoord * 2.0 - 1.0) * (radius + 0.5) / radius;
  float distance = outside(q) * radius;
  float cover = clamp(0.5 - distance, 0.0, 1.0);
  if (cover < 0.02) discard;
  // A thin rim towards the background keeps neighbouring points apart.
  float rim = clamp(distance + 1.5, 0.0, 1.0) * rimmed;
  float alpha = colour.a * cover;
  pixel = vec4(mix(colour.rgb, background, rim) * alpha, alpha);
}`;
