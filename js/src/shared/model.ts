/**
 * The narrow part of the anywidget contract that our widgets use. Anything that offers these few
 * methods (JupyterLab, marimo, an exported page, a test) can host a widget.
 */
export interface Model<State extends object = Record<string, unknown>> {
  get<K extends keyof State & string>(key: K): State[K];
  set<K extends keyof State & string>(key: K, value: State[K]): void;
  save_changes(): void;
  on(event: string, handler: (...args: never[]) => void): void;
  off(event: string, handler: (...args: never[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

export type Cleanup = () => void;

/** What a widget module exports as its default: data link once a model, DOM once a view. */
export interface Widget<State extends object> {
  initialize(props: { model: Model<State> }): Cleanup | Promise<Cleanup>;
  render(props: { model: Model<State>; el: HTMLElement }): Cleanup | Promise<Cleanup>;
}

/** Call `handler` with each new value of a trait, until the returned function is called. */
export function watch<State extends object, K extends keyof State & string>(
  model: Model<State>,
  key: K,
  handler: (value: State[K]) => void,
): Cleanup {
  const changed = (): void => handler(model.get(key));
  model.on(`change:${key}`, changed);
  return () => model.off(`change:${key}`, changed);
}

/** Call `handler` with each custom message, until the returned function is called. */
export function listen<State extends object>(
  model: Model<State>,
  handler: (content: unknown, buffers: readonly DataView[]) => void,
): Cleanup {
  model.on("msg:custom", handler as (...args: never[]) => void);
  return () => model.off("msg:custom", handler as (...args: never[]) => void);
}

/** A list of cleanups that is run once, backwards, like the statements of a `defer`. */
export class Owner {
  #cleanups: Cleanup[] = [];

  own(cleanup: Cleanup): void {
    this.#cleanups.push(cleanup);
  }

  /** Add a DOM listener that goes away with the owner. */
  on<K extends keyof HTMLElementEventMap>(
    target: EventTarget,
    event: K,
    handler: (event: HTMLElementEventMap[K]) => void,
    options?: AddEventListenerOptions,
  ): void {
    target.addEventListener(event, handler as EventListener, options);
    this.own(() => target.removeEventListener(event, handler as EventListener, options));
  }

  dispose(): void {
    for (const cleanup of this.#cleanups.splice(0).reverse()) cleanup();
  }
}

/**
 * One data store a widget, shared by its views. Hosts hand a new wrapper of the model to each view,
 * so the widget is known by its own name, the trait `_uid`, and not by the object.
 */
export class Stores<State extends object, Store extends { dispose(): void }> {
  #stores = new Map<unknown, Store>();
  #make: (model: Model<State>) => Store;

  constructor(make: (model: Model<State>) => Store) {
    this.#make = make;
  }

  open(model: Model<State>): Store {
    const name = nameOf(model);
    let store = this.#stores.get(name);
    if (!store) {
      store = this.#make(model);
      this.#stores.set(name, store);
    }
    return store;
  }

  close(model: Model<State>): void {
    const name = nameOf(model);
    this.#stores.get(name)?.dispose();
    this.#stores.delete(name);
  }
}

function nameOf<State extends object>(model: Model<State>): unknown {
  return (model as unknown as Model<{ _uid?: string }>).get("_uid") ?? model;
}
