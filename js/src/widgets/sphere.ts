/** Entry of the SphereExplorer bundle. */
import { Stores, type Widget } from "../shared/model.ts";
import { SphereStore, type SphereState } from "../sphere/store.ts";
import { SphereView } from "../sphere/view.ts";

const stores = new Stores<SphereState, SphereStore>((model) => new SphereStore(model));

const widget: Widget<SphereState> = {
  initialize({ model }) {
    stores.open(model);
    return () => stores.close(model);
  },
  render({ model, el }) {
    const view = new SphereView(el, stores.open(model));
    return () => view.dispose();
  },
};

export default widget;
