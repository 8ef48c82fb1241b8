/**
 * What a notebook keeps of a widget, shown where the widget itself is not: no kernel, another one,
 * or the moment before the widget is there.
 *
 * JupyterLab's own renderer of widgets writes "Loading widget..." and "model not found" into its
 * element in these cases, and never looks at the other representations in the same output.
 */
import { h } from "../shared/dom.ts";

export const OURS = "application/vnd.featrix.widget+json";
export const VIEW = "application/vnd.jupyter.widget-view+json";
// Pictures are drawn for paper. In a dark theme white becomes JupyterLab's ground, black its ink, and
// hues stay near what they were. A heatmap's scale must not turn over; it is drawn for any ground.
const STYLE = `
.ftx-saved { margin: 0; }
.ftx-saved img { display: block; max-width: 100%; height: auto; }
[data-jp-theme-light="false"] .ftx-saved:not([data-widget="heatmap"]) img { filter: invert(0.93) hue-rotate(180deg); }
.ftx-saved pre { margin: 0; white-space: pre-wrap; }
.ftx-saved figcaption { margin-top: 4px; font-size: 0.85em; color: var(--jp-ui-font-color2, #666); }
`;

export interface MimeModel {
  readonly trusted: boolean;
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: object;
  setData(options: object): void;
}

/** JupyterLab's renderer of a mime type: an element, and what draws into it. */
export interface Renderer {
  readonly node: HTMLElement;
  renderModel(model: MimeModel): Promise<void>;
}

/** A mime type's text; notebooks on disk may keep it as lines. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join("") : typeof value === "string" ? value : "";
}

/** The picture, else the words, that were saved with a widget. */
function drawn(data: MimeModel["data"]): HTMLElement {
  const text = textOf(data["text/plain"]);
  const png = textOf(data["image/png"]).trim();
  const { widget = "" } = (data[OURS] ?? {}) as { widget?: string };
  return h(
    "figure", { class: "ftx-saved", "data-widget": widget },
    h("style", {}, STYLE),
    png ? h("img", { src: `data:image/png;base64,${png}`, alt: text }) : h("pre", {}, text),
    h("figcaption", {}, "As it was saved. Run the cell to work with it."),
  );
}

/** Let JupyterLab's renderer of widgets show what was saved whenever it has no widget to show. */
export function keepsPicture(renderer: Renderer): Renderer {
  const { node } = renderer;
  const render = renderer.renderModel.bind(renderer);
  let saved: HTMLElement | undefined;
  /** The model whose view is there, or on its way. */
  let shown: string | undefined;
  // A widget is an element; all the renderer says of a missing one is text.
  const isLive = () => [...node.children].some((child) => child !== saved);
  const choose = () => {
    if (!saved) return;
    if (isLive()) saved.remove();
    else if (node.childNodes.length !== 1 || node.firstChild !== saved) node.replaceChildren(saved);
  };
  new MutationObserver(choose).observe(node, { childList: true });
  renderer.renderModel = async (model) => {
    saved?.remove();
    saved = drawn(model.data);
    const view = model.data[VIEW] as { model_id?: string } | undefined;
    const id = model.trusted ? view?.model_id : undefined;
    // A closed widget leaves a view without a model, and what was saved is all there is. An output that
    // is only brought up to date keeps its view, and with it whatever the reader does there.
    if (id && id !== shown) {
      shown = id;
      // The renderer empties the name of the model in what it is given; the notebook's own stays.
      const data = { ...model.data, [VIEW]: { ...view } };
      const setData = model.setData.bind(model);
      const copy = { trusted: model.trusted, data, metadata: model.metadata, setData };
      const rendering = render(copy);
      choose();
      await rendering;
      if (!isLive()) shown = undefined;
    }
    choose();
  };
  return renderer;
}
