/** TrainingDashboard: the curve of one or several trainings, live or finished. */
import uplotCss from "uplot/dist/uPlot.min.css";
import chartCss from "../plot/chart.css";
import baseCss from "../shared/base.css";
import { injectStyle } from "../shared/dom.ts";
import { entry } from "../shared/entry.ts";
import dashboardCss from "../dashboard/dashboard.css";
import { DashboardStore, type DashboardState } from "../dashboard/store.ts";
import { DashboardView } from "../dashboard/view.ts";

export default entry<DashboardState, DashboardStore>(
  (model) => new DashboardStore(model),
  (el, store) => {
    injectStyle(el, "base", baseCss);
    injectStyle(el, "chart", `${uplotCss}\n${chartCss}`);
    injectStyle(el, "dashboard", dashboardCss);
    const view = new DashboardView(store);
    el.append(view.el);
    view.start();
    return view;
  },
);
