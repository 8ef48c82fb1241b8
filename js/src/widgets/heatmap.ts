/** Entry of the PredictionHeatmap bundle. */
import { HeatmapStore, type HeatmapState } from "../heatmap/store.ts";
import { HeatmapView } from "../heatmap/view.ts";
import { entry } from "../shared/entry.ts";

export default entry<HeatmapState, HeatmapStore>(
  (model) => new HeatmapStore(model),
  (el, store) => new HeatmapView(el, store),
);
