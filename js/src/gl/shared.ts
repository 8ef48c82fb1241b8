/**
 * One WebGL2 context a page. Browsers keep about sixteen alive and drop the oldest without a word,
 * so all widgets draw through the same hidden canvas and copy the result into their own.
 *
 * Every widget instance loads its own copy of this module, hence the meeting point on globalThis;
 * its name carries a version, raised when the class's interface changes.
 */

import { FRAGMENT, VERTEX } from "./shaders.ts";

const MEETING_POINT = Symbol.for("featrix.gl.1");
const UNIFORMS = [
  "rotation", "scale", "offset", "size", "opacity", "background", "dim", "palette",
] as const;

export type Uniforms = Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>;

/** Told when the context goes away or comes back. */
export type ContextListener = (lost: boolean) => void;

export class SharedContext {
  readonly canvas: HTMLCanvasElement;
  readonly gl: WebGL2RenderingContext;
  program!: WebGLProgram;
  uniforms!: Uniforms;
  readonly #listeners = new Set<ContextListener>();

  /** Join the page's context, making it when there is none. Null where WebGL2 does not work. */
  static join(listener: ContextListener): SharedContext | null {
    const page = globalThis as unknown as Record<symbol, SharedContext | undefined>;
    let shared = page[MEETING_POINT];
    if (!shared) {
      try {
        shared = new SharedContext();
      } catch {
        return null; // the caller draws in software, and says so
      }
      page[MEETING_POINT] = shared;
    }
    shared.enter(listener); // a public method: the object may come from another copy of this module
    return shared;
  }

  private constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = 1;
    const gl = this.canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true });
    if (!gl) throw new Error("WebGL2 is not available");
    this.gl = gl;
    this.#build();
    this.canvas.addEventListener("webglcontextlost", this.#onLost);
    this.canvas.addEventListener("webglcontextrestored", this.#onRestored);
  }

  get lost(): boolean {
    return this.gl.isContextLost();
  }

  enter(listener: ContextListener): void {
    this.#listeners.add(listener);
  }

  /** The last one to leave frees the context. */
  leave(listener: ContextListener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    const page = globalThis as unknown as Record<symbol, SharedContext | undefined>;
    if (page[MEETING_POINT] === this) delete page[MEETING_POINT];
    this.canvas.removeEventListener("webglcontextlost", this.#onLost);
    this.canvas.removeEventListener("webglcontextrestored", this.#onRestored);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** Make room for a picture of this size in device pixels; never shrinks, to avoid reallocation. */
  reserve(width: number, height: number): void {
    if (this.canvas.width < width) this.canvas.width = width;
    if (this.canvas.height < height) this.canvas.height = height;
  }

  readonly #onLost = (event: Event): void => {
    event.preventDefault(); // asks the browser to bring it back
    for (const listener of this.#listeners) listener(true);
  };

  readonly #onRestored = (): void => {
    this.#build();
    for (const listener of this.#listeners) listener(false);
  };

  #build(): void {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [type, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(type)!;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      gl.deleteShader(shader); // goes when the program goes
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`the point program does not link: ${gl.getProgramInfoLog(program)}`);
    }
    this.program = program;
    this.uniforms = Object.fromEntries(
      UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]),
    ) as Uniforms;
  }
}
