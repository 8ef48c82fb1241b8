/** TrainingMovie: a training, epoch by epoch, on the sphere and beside its loss. */
import { MovieStore, type MovieState } from "../movie/store.ts";
import { MovieView } from "../movie/view.ts";
import { entry } from "../shared/entry.ts";

export default entry<MovieState, MovieStore>(
  (model) => new MovieStore(model),
  (el, store) => new MovieView(el, store),
);
