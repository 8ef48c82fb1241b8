/** Points through the page's WebGL2 context: one draw call, copied into the view's own canvas. */

import { centre, radius, rotation } from "./camera.ts";
import type { Look, Palette, Renderer, SceneData, ScenePart } from "./scene.ts";
import { SharedContext, type ContextListener } from "./shared.ts";

const ALL: readonly ScenePart[] = ["positions", "codes", "state", "palette"];

interface Resources {
  array: WebGLVertexArrayObject;
  positions: WebGLBuffer;
  codes: WebGLBuffer;
  state: WebGLBuffer;
  selected: WebGLBuffer;
  palette: WebGLTexture;
}

export class WebGl2Renderer implements Renderer {
  readonly kind = "webgl2";
  readonly #shared: SharedContext;
  readonly #scene: () => SceneData & { palette: Palette };
  readonly #listener: ContextListener;
  #resources: Resources | null = null;
  readonly #stale = new Set<ScenePart>(ALL);

  /** Null where WebGL2 does not work. `onContext` hears of loss and return of the context. */
  static create(
    scene: () => SceneData & { palette: Palette },
    onContext: ContextListener,
  ): WebGl2Renderer | null {
    let renderer: WebGl2Renderer | null = null;
    const listener: ContextListener = (lost) => {
      if (renderer) renderer.#forget();
      onContext(lost);
    };
    const shared = SharedContext.join(listener);
    if (shared) renderer = new WebGl2Renderer(shared, scene, listener);
    return renderer;
  }

  private constructor(
    shared: SharedContext,
    scene: () => SceneData & { palette: Palette },
    listener: ContextListener,
  ) {
    this.#shared = shared;
    this.#scene = scene;
    this.#listener = listener;
  }

  get lost(): boolean {
    return this.#shared.lost;
  }

  changed(...parts: ScenePart[]): void {
    for (const part of parts) this.#stale.add(part);
  }

  draw(context: CanvasRenderingContext2D, look: Look): void {
    const { gl, canvas } = this.#shared;
    const width = Math.max(1, Math.round(look.view.width * look.ratio));
    const height = Math.max(1, Math.round(look.view.height * look.ratio));
    this.#shared.reserve(width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, 0, width, height);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    this.#upload();
    this.#setUniforms(look);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    // Opaque points hide what is behind them; translucent ones are meant to add up.
    if (look.opacity < 1) gl.disable(gl.DEPTH_TEST);
    else gl.enable(gl.DEPTH_TEST);
    gl.drawArrays(gl.POINTS, 0, look.count);
    // A sample may leave out what the reader has selected: that is drawn on top of it.
    const { codes, selected } = this.#scene();
    if (look.count < codes.length && selected.length > 0) {
      gl.drawElements(gl.POINTS, Math.min(selected.length, look.count), gl.UNSIGNED_INT, 0);
    }
    gl.bindVertexArray(null);
    context.drawImage(canvas, 0, canvas.height - height, width, height, 0, 0, width, height);
  }

  destroy(): void {
    const { gl } = this.#shared;
    if (this.#resources && !this.#shared.lost) {
      gl.deleteVertexArray(this.#resources.array);
      gl.deleteBuffer(this.#resources.positions);
      gl.deleteBuffer(this.#resources.codes);
      gl.deleteBuffer(this.#resources.state);
      gl.deleteBuffer(this.#resources.selected);
      gl.deleteTexture(this.#resources.palette);
    }
    this.#forget();
    this.#shared.leave(this.#listener);
  }

  #forget(): void {
    this.#resources = null;
    this.changed(...ALL);
  }

  #setUniforms(look: Look): void {
    const { gl, program, uniforms } = this.#shared;
    const { width, height } = look.view;
    const r = radius(look.camera, look.view);
    const c = centre(look.camera, look.view);
    gl.useProgram(program);
    gl.uniformMatrix3fv(uniforms.rotation, true, rotation(look.camera));
    gl.uniform2f(uniforms.scale, (2 * r) / width, (2 * r) / height);
    gl.uniform2f(uniforms.offset, (2 * c.x) / width - 1, 1 - (2 * c.y) / height);
    gl.uniform1f(uniforms.size, look.size * look.ratio);
    gl.uniform1f(uniforms.opacity, look.opacity);
    gl.uniform3fv(uniforms.background, look.background.map((v) => v / 255));
    gl.uniform1i(uniforms.dim, look.dim ? 1 : 0);
    gl.uniform1i(uniforms.palette, 0);
  }

  /** Bring the card's copies up to date and bind them. */
  #upload(): void {
    const { gl } = this.#shared;
    const data = this.#scene();
    const own = (this.#resources ??= this.#allocate());
    gl.bindVertexArray(own.array);
    for (const part of ["positions", "codes", "state"] as const) {
      if (!this.#stale.has(part)) continue;
      gl.bindBuffer(gl.ARRAY_BUFFER, own[part]);
      gl.bufferData(gl.ARRAY_BUFFER, part === "positions" ? inFours(data[part]) : data[part], gl.STATIC_DRAW);
    }
    if (this.#stale.has("state")) {
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, data.selected, gl.STATIC_DRAW);
    }
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, own.palette);
    if (this.#stale.has("palette")) {
      gl.texImage2D(
        gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, data.palette,
      );
    }
    this.#stale.clear();
  }

  #allocate(): Resources {
    const { gl } = this.#shared;
    const own: Resources = {
      array: gl.createVertexArray(),
      positions: gl.createBuffer(),
      codes: gl.createBuffer(),
      state: gl.createBuffer(),
      selected: gl.createBuffer(),
      palette: gl.createTexture(),
    };
    gl.bindVertexArray(own.array);
    for (const location of [0, 1, 2]) gl.enableVertexAttribArray(location);
    gl.bindBuffer(gl.ARRAY_BUFFER, own.positions);
    gl.vertexAttribPointer(0, 4, gl.SHORT, true, 8, 0);
    gl.bindBuffer(gl.ARRAY_BUFFER, own.codes);
    gl.vertexAttribIPointer(1, 1, gl.UNSIGNED_BYTE, 0, 0);
    gl.bindBuffer(gl.ARRAY_BUFFER, own.state);
    gl.vertexAttribIPointer(2, 1, gl.UNSIGNED_BYTE, 0, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, own.selected); // kept by the vertex array
    gl.bindTexture(gl.TEXTURE_2D, own.palette);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
      gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    }
    return own;
  }
}

/**
 * Coordinates with a fourth one that is not looked at. Cards have no format of three numbers of 16
 * bits, and the browser would convert all points at their first draw, which takes ten times as long.
 */
function inFours(positions: Int16Array): Int16Array<ArrayBuffer> {
  const n = positions.length / 3;
  const out = new Int16Array(n * 4);
  for (let from = 0, to = 0; from < positions.length; from += 3, to += 4) {
    out[to] = positions[from]!;
    out[to + 1] = positions[from + 1]!;
    out[to + 2] = positions[from + 2]!;
  }
  return out;
}
