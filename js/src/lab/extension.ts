/**
 * Not a widget: an extension of JupyterLab and Notebook 7, loaded from the wheel, that shows the saved
 * picture of a widget of ours when its kernel is gone. Outputs of ours carry a mime type of our own,
 * so nobody else's are touched. `build.mjs` writes the description JupyterLab reads.
 */
import { keepsPicture, OURS, VIEW, type Renderer } from "./saved.ts";

// Before the renderer of widgets, which is at -10; the lowest rank an output has is drawn.
const RANK = -20;

interface Rendermime {
  addFactory(factory: object, rank: number): void;
  createRenderer(mimeType: string): Renderer;
  getFactory(mimeType: string): object | undefined;
}

interface App {
  docRegistry: {
    addWidgetExtension(
      name: string,
      extension: { createNew(panel: { content: { rendermime: Rendermime } }): void },
    ): unknown;
  };
}

const plugin = {
  id: "featrix-notebook:saved",
  description: "Shows the saved picture of a Featrix widget whose kernel is gone.",
  autoStart: true,
  activate(app: App): void {
    app.docRegistry.addWidgetExtension("Notebook", {
      createNew({ content: { rendermime } }) {
        // Where widgets are switched off nobody draws their view, and the picture is an image like any.
        const createRenderer = () =>
          rendermime.getFactory(VIEW)
            ? keepsPicture(rendermime.createRenderer(VIEW))
            : rendermime.createRenderer("image/png");
        // Safe: in a notebook that is not trusted it draws the picture and nothing else.
        rendermime.addFactory({ safe: true, mimeTypes: [OURS], createRenderer }, RANK);
      },
    });
  },
};

// The part of webpack's module federation that JupyterLab asks of an extension: a container by its
// name, told of shared modules (none is needed here), giving modules by theirs.
const containers = ((globalThis as Record<string, unknown>)["_JUPYTERLAB"] ??= {}) as Record<string, object>;
containers["featrix-notebook"] = {
  init(): void {},
  get(module: string): Promise<() => unknown> {
    if (module !== "./extension") return Promise.reject(new Error(`featrix-notebook has no ${module}`));
    return Promise.resolve(() => ({ __esModule: true, default: plugin }));
  },
};
