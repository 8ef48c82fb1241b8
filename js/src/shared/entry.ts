import { Stores, type Model, type Widget } from "./model.ts";
import { tellUse } from "./use.ts";

interface Disposable {
  dispose(): void;
}

/** A widget as all of ours are: one store a model, and views of it that tell when they are in use. */
export function entry<State extends object, Store extends Disposable>(
  makeStore: (model: Model<State>) => Store,
  makeView: (el: HTMLElement, store: Store) => Disposable,
): Widget<State> {
  const stores = new Stores<State, Store>(makeStore);
  return {
    initialize({ model }) {
      stores.open(model);
      return () => stores.close(model);
    },
    render({ model, el }) {
      const view = makeView(el, stores.open(model));
      const forget = tellUse(el, model as unknown as Model);
      return () => {
        forget();
        view.dispose();
      };
    },
  };
}
