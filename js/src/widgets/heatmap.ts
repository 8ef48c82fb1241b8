/** Entry of the PredictionHeatmap bundle. */
import { HeatmapStore, type HeatmapState } from "../heatmap/store.ts";
import { HeatmapView } from "../heatmap/view.ts";
import { Stores, type Widget } from "../shared/model.ts";

const stores = new Stores<HeatmapState, HeatmapStore>((model) => new HeatmapStore(model));

const widget: Widget<HeatmapState> = {
  initialize({ model }) {
    stores.open(model);
    return () => stores.close(model);
  },
  render({ model, el }) {
    const view = new HeatmapView(el, stores.open(model));
    return () => view.dispose();
  },
};

export default widget;
