/** TrainingDashboard: the curve of one or several trainings, live or finished. */
import uplotCss from "uplot/dist/uPlot.min.css";
import baseCss from "../shared/base.css";
import { injectStyle } from "../shared/dom.ts";
import { Stores, type Widget } from "../shared/model.ts";
import dashboardCss from "../dashboard/dashboard.css";
import { DashboardStore, type DashboardState } from "../dashboard/store.ts";
import { DashboardView } from "../dashboard/view.ts";

const stores = new Stores<DashboardState, DashboardStore>((model) => new DashboardStore(model));

const widget: Widget<DashboardState> = {
  initialize({ model }) {
    stores.open(model);
    return () => stores.close(model);
  },

  render({ model, el }) {
    injectStyle(el, "dashboard", `${uplotCss}\n${baseCss}\n${dashboardCss}`);
    const view = new DashboardView(stores.open(model));
    el.append(view.el);
    view.start();
    return () => view.dispose();
  },
};

export default widget;
