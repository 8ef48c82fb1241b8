/** TrainingMovie: a training, epoch by epoch, on the sphere and beside its loss. */
import { Stores, type Widget } from "../shared/model.ts";
import { MovieStore, type MovieState } from "../movie/store.ts";
import { MovieView } from "../movie/view.ts";

const stores = new Stores<MovieState, MovieStore>((model) => new MovieStore(model));

const widget: Widget<MovieState> = {
  initialize({ model }) {
    stores.open(model);
    return () => stores.close(model);
  },
  render({ model, el }) {
    const view = new MovieView(el, stores.open(model));
    return () => view.dispose();
  },
};

export default widget;
