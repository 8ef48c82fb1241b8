/** The picture: two stacked canvases, the camera and the frame loop. Knows points, not tables. */

import { drawBackdrop, type BackdropColors } from "../gl/backdrop.ts";
import { Budget, samplePointScale } from "../gl/budget.ts";
import {
  between, face, HOME, orbit, project, turn, zoomAt, type Camera, type Viewport,
} from "../gl/camera.ts";
import { Canvas2dRenderer } from "../gl/canvas2d.ts";
import { Inertia } from "../gl/inertia.ts";
import type { Pixel } from "../gl/lasso.ts";
import { inside, nearest } from "../gl/pick.ts";
import type { Look, Palette, Renderer, SceneData, ScenePart } from "../gl/scene.ts";
import { WebGl2Renderer } from "../gl/webgl2.ts";
import { h } from "../shared/dom.ts";
import { Owner } from "../shared/model.ts";

const SETTLE_MS = 140;
const JOURNEY_MS = 420;
const TURN_PER_S = 0.25;
const REACH = 9;
/** Arm of the cross that shows the pen, in CSS pixels. */
const PEN = 7;

export interface StageColors extends BackdropColors {
  /** What far points fade towards. */
  background: readonly [number, number, number];
  ring: string;
}

export class Stage {
  readonly el = h("div", { class: "ftx-sphere-stage" });
  camera: Camera = HOME;
  view: Viewport = { width: 1, height: 1 };
  size: number | null = null;
  opacity = 1;
  /** Is something selected, so that the rest steps back? */
  dim = false;
  reducedMotion = false;
  autoRotate = false;
  colors: StageColors;
  /** Points to ring: under the pointer, and walked to by keyboard; -1 for none. */
  hovered = -1;
  current = -1;
  /** Pointed at in a linked widget. */
  linked = -1;
  /** The box or lasso being drawn. */
  outline: readonly Pixel[] = [];
  /** What draws it, when that is done by keyboard. */
  pen: Pixel | null = null;
  /** Called with the renderer's kind when that changes. */
  onRenderer: (kind: Renderer["kind"]) => void = () => undefined;
  onCamera: (camera: Camera) => void = () => undefined;
  /** Paints between the ball and its points. */
  under: (context: CanvasRenderingContext2D, look: Look) => void = () => undefined;
  /** Paints over the points, in CSS pixels and with the pen of the rings, which is as before afterwards. */
  over: (context: CanvasRenderingContext2D) => void = () => undefined;
  /** Called before each frame with the ms since the last; true asks for another. */
  beforeFrame: (ms: number) => boolean = () => false;

  readonly #canvas = h("canvas", { class: "ftx-sphere-canvas", "aria-hidden": "true" });
  readonly #overlay = h("canvas", { class: "ftx-sphere-canvas", "aria-hidden": "true" });
  readonly #context: CanvasRenderingContext2D;
  readonly #over: CanvasRenderingContext2D;
  readonly #scene: () => SceneData & { palette: Palette };
  readonly #owner = new Owner();
  readonly #budget = new Budget();
  readonly #inertia = new Inertia();
  readonly #gl: WebGl2Renderer | null;
  readonly #software: Canvas2dRenderer;
  #kind: Renderer["kind"] | null = null;
  #journey: { from: Camera; to: Camera; start: number } | null = null;
  #frame = 0;
  #settle = 0;
  #last = 0;
  #moving = false;
  #visible = true;
  /** A draw was left out while nobody could see it. */
  #skipped = false;
  #dragging = false;

  constructor(scene: () => SceneData & { palette: Palette }, colors: StageColors) {
    this.#scene = scene;
    this.colors = colors;
    this.el.append(this.#canvas, this.#overlay);
    this.#context = this.#canvas.getContext("2d")!;
    this.#over = this.#overlay.getContext("2d")!;
    this.#software = new Canvas2dRenderer(scene);
    this.#gl = WebGl2Renderer.create(scene, () => this.invalidate());
  }

  /** Draw from now on; once all that looks at the same sizes and colours looks at them first. */
  connect(): void {
    const sizes = new ResizeObserver(() => this.#resize());
    sizes.observe(this.el);
    const sight = new IntersectionObserver((entries) => {
      this.#visible = entries.some((entry) => entry.isIntersecting);
      if (this.#visible && this.#skipped) this.invalidate();
    });
    sight.observe(this.el);
    this.#owner.own(() => sizes.disconnect());
    this.#owner.own(() => sight.disconnect());
  }

  get renderer(): Renderer {
    return this.#gl && !this.#gl.lost ? this.#gl : this.#software;
  }

  /** Tell that data changed. */
  changed(...parts: ScenePart[]): void {
    this.#gl?.changed(...parts);
    this.invalidate();
  }

  /** Draw soon. */
  invalidate(): void {
    if (!this.#frame) this.#frame = requestAnimationFrame((at) => this.#tick(at));
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#settle);
    this.#owner.dispose();
    this.#gl?.destroy();
    this.#software.destroy();
  }

  // ---------------------------------------------------------------- camera

  /** The hand takes hold of the sphere. */
  grab(): void {
    this.stop();
    this.#dragging = true;
  }

  drag(at: number, dx: number, dy: number): void {
    this.#inertia.push(at, dx, dy);
    this.#move(orbit(this.camera, this.view, dx, dy));
  }

  letGo(at: number): void {
    this.#dragging = false;
    if (this.reducedMotion) this.#inertia.stop();
    else this.#inertia.release(at);
    this.invalidate();
  }

  zoom(factor: number, x = this.view.width / 2, y = this.view.height / 2): void {
    this.#journey = null;
    this.#move(zoomAt(this.camera, this.view, factor, x, y));
  }

  turn(yaw: number, pitch: number): void {
    this.stop();
    this.#move(turn(this.camera, yaw, pitch));
  }

  reset(): void {
    this.#travel(HOME);
  }

  /** Bring a point to the front. */
  face(point: number): void {
    this.faceTo(...this.at(point));
  }

  /** Bring a place on the unit sphere to the front. */
  faceTo(x: number, y: number, z: number): void {
    this.#travel(face(this.camera, x, y, z));
  }

  /** End every movement, the automatic turning as well. */
  stop(): void {
    this.#journey = null;
    this.#inertia.stop();
    this.autoRotate = false;
  }

  /** Look from where somebody else does, and tell nobody. */
  follow(camera: Camera): void {
    this.stop();
    this.#show(camera);
  }

  #travel(to: Camera): void {
    this.stop();
    if (this.reducedMotion) this.#move(to);
    else {
      this.#journey = { from: this.camera, to, start: performance.now() };
      this.invalidate();
    }
  }

  #move(camera: Camera): void {
    this.#show(camera);
    this.onCamera(camera);
  }

  #show(camera: Camera): void {
    this.camera = camera;
    this.#moving = true;
    clearTimeout(this.#settle);
    this.#settle = window.setTimeout(() => {
      this.#moving = false;
      this.invalidate();
    }, SETTLE_MS);
    this.invalidate();
  }

  // ---------------------------------------------------------------- finding points

  /** The point under a position in CSS pixels of the stage, or -1. */
  pick(x: number, y: number): number {
    return nearest(this.#scene(), this.camera, this.view, x, y, REACH);
  }

  inside(mask: Uint8Array, through: boolean): Uint32Array {
    return inside(this.#scene(), this.camera, this.view, mask, through);
  }

  /** Where a point is drawn, in CSS pixels. */
  place(point: number): { x: number; y: number; depth: number } {
    return this.project(...this.at(point));
  }

  /** A point's place on the unit sphere. */
  at(point: number): [number, number, number] {
    const p = this.#scene().positions;
    return [p[point * 3]! / 32767, p[point * 3 + 1]! / 32767, p[point * 3 + 2]! / 32767];
  }

  /** Where a place on the unit sphere is drawn, in CSS pixels. */
  project(x: number, y: number, z: number): { x: number; y: number; depth: number } {
    return project(this.camera, this.view, x, y, z);
  }

  /** Number of points. */
  get count(): number {
    return this.#scene().codes.length;
  }

  // ---------------------------------------------------------------- frames

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.el;
    if (!width || !height || (width === this.view.width && height === this.view.height)) return;
    this.view = { width, height };
    // In the same task, as a resized canvas is blank until it is drawn; and in place of the frame that
    // may have been asked for, or all points would be drawn twice.
    cancelAnimationFrame(this.#frame);
    this.#tick(performance.now());
  }

  #fitCanvases(): void {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.view.width * ratio);
    const height = Math.round(this.view.height * ratio);
    for (const canvas of [this.#canvas, this.#overlay]) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
    }
  }

  #tick(at: number): void {
    this.#frame = 0;
    const ms = Math.min(100, at - this.#last);
    const playing = this.beforeFrame(ms);
    const running = this.#animate(performance.now(), ms) || playing;
    this.#last = at;
    this.#draw();
    // Asked for at once, so that it tells how long this picture took, not when the hand moved on.
    if (this.#moving) requestAnimationFrame((next) => this.#budget.frame(next - at));
    if (running && this.#visible) this.invalidate();
  }

  /** Advance whatever moves by itself; true while something does. */
  #animate(now: number, ms: number): boolean {
    if (this.#journey) {
      const { from, to, start } = this.#journey;
      const t = Math.min(1, (now - start) / JOURNEY_MS);
      this.#move(between(from, to, t * t * (3 - 2 * t)));
      if (t === 1) this.#journey = null;
    } else if (!this.#dragging && this.#inertia.moving) {
      const { dx, dy } = this.#inertia.step(ms);
      this.#move(orbit(this.camera, this.view, dx, dy));
    } else if (this.autoRotate && !this.reducedMotion && !this.#dragging) {
      this.#move(turn(this.camera, (TURN_PER_S * ms) / 1000, 0));
    }
    return this.#journey !== null || this.#inertia.moving || this.autoRotate;
  }

  #draw(): void {
    this.#skipped = !this.#visible || this.view.width <= 1;
    if (this.#skipped) return;
    this.#fitCanvases(); // the page's zoom may have changed without a change of size
    const ratio = this.#canvas.width / this.view.width;
    const total = this.count;
    const count = this.#budget.count(total, this.#moving);
    const look = {
      camera: this.camera,
      view: this.view,
      ratio,
      size: this.pointSize() * samplePointScale(count, total),
      opacity: this.opacity,
      background: this.colors.background,
      dim: this.dim,
      count,
    };
    this.#context.setTransform(1, 0, 0, 1, 0, 0);
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    drawBackdrop(this.#context, look, this.colors);
    this.under(this.#context, look);
    const renderer = this.renderer;
    if (total > 0) renderer.draw(this.#context, look);
    this.drawOverlay();
    if (renderer.kind !== this.#kind) {
      this.#kind = renderer.kind;
      this.onRenderer(renderer.kind);
    }
  }

  /** Diameter in CSS pixels of a point facing the viewer, at the present zoom. */
  pointSize(): number {
    const fitting = Math.min(9, Math.max(2, 16.5 - 3.1 * Math.log10(Math.max(1, this.count))));
    const scale = Math.min(this.view.width, this.view.height) / 520;
    const base = this.size ?? fitting * Math.min(1.3, Math.max(0.7, scale));
    return base * Math.pow(Math.max(0.6, this.camera.zoom), 0.4);
  }

  drawOverlay(): void {
    const context = this.#over;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#overlay.width, this.#overlay.height);
    const ratio = this.#overlay.width / this.view.width;
    context.scale(ratio, ratio);
    context.strokeStyle = context.fillStyle = this.colors.ring;
    context.setLineDash([]);
    context.save();
    this.over(context);
    context.restore();
    for (const point of new Set([this.hovered, this.current, this.linked])) {
      if (point < 0 || point >= this.count) continue;
      const { x, y } = this.place(point);
      context.lineWidth = 2;
      context.setLineDash(point === this.current && point !== this.hovered ? [3, 3] : []);
      context.beginPath();
      context.arc(x, y, this.pointSize() / 2 + 4, 0, 2 * Math.PI);
      context.stroke();
    }
    if (this.outline.length > 1) {
      context.setLineDash([5, 4]);
      context.lineWidth = 1.5;
      context.beginPath();
      this.outline.forEach((p, i) => (i ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
      context.closePath();
      context.stroke();
      context.globalAlpha = 0.08;
      context.fill();
      context.globalAlpha = 1;
    }
    if (this.pen) {
      const { x, y } = this.pen;
      context.setLineDash([]);
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(x - PEN, y);
      context.lineTo(x + PEN, y);
      context.moveTo(x, y - PEN);
      context.lineTo(x, y + PEN);
      context.stroke();
    }
  }
}
