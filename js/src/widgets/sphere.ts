/** Entry of the SphereExplorer bundle. */
import { entry } from "../shared/entry.ts";
import { SphereStore, type SphereState } from "../sphere/store.ts";
import { SphereView } from "../sphere/view.ts";

export default entry<SphereState, SphereStore>(
  (model) => new SphereStore(model),
  (el, store) => new SphereView(el, store),
);
