/** The row on top of a dashboard for one run: what it does, how far it is, and its controls. */
import { h, setText } from "../shared/dom.ts";
import { short } from "../plot/scales.ts";
import type { Action, Run } from "./run.ts";
import type { DashboardStore } from "./store.ts";
import { bestOf, isOpen, speedText, standing, statusText, timeLeftText } from "./words.ts";

export class RunHeader {
  readonly el = h("div", { class: "ftx-header" });
  #store: DashboardStore;
  #index: number;
  #pill = h("span", { class: "ftx-pill" });
  #name = h("span", { class: "ftx-name" });
  #facts = new Map<string, { term: HTMLElement; value: HTMLElement }>();
  #pause = h("button", { type: "button", class: "ftx-button" });
  #stop = h("button", { type: "button", class: "ftx-button" });
  #controls = h("div", { class: "ftx-controls", role: "group" });
  #bar = h("i");
  #error = h("p", { class: "ftx-error", role: "alert" });
  #note = h("p", { class: "ftx-note" });

  constructor(store: DashboardStore, index: number) {
    this.#store = store;
    this.#index = index;
    // No <dl>: hosts lay those out in ways of their own.
    const facts = h("div", { class: "ftx-facts" });
    for (const name of ["epoch", "best", "speed", "time"]) {
      const term = h("span", { class: "ftx-term" });
      const value = h("span", { class: "ftx-value", "data-fact": name });
      this.#facts.set(name, { term, value });
      facts.append(h("div", {}, term, value));
    }
    this.#controls.append(this.#pause, this.#stop);
    const title = h("div", { class: "ftx-title" }, this.#pill, this.#name);
    this.el.append(
      h("div", { class: "ftx-run" }, title, facts, this.#controls),
      h("div", { class: "ftx-bar", "aria-hidden": "true" }, this.#bar),
      this.#note,
      this.#error,
    );
    // The buttons live as long as this header, so their listeners need no other owner.
    this.#pause.addEventListener("click", () => {
      if (this.#pause.ariaDisabled === "true") return;
      const paused = this.#store.runs[this.#index]?.info.status === "paused";
      this.#store.ask(this.#index, paused ? "resume" : "pause");
    });
    this.#stop.addEventListener("click", () => {
      if (this.#stop.ariaDisabled !== "true") this.#store.ask(this.#index, "stop");
    });
  }

  update(run: Run): void {
    const { info } = run;
    const pending = this.#store.asked.get(this.#index);
    const asked = pending && !pending.failed ? pending.action : null;
    this.#pill.dataset["status"] = info.status;
    setText(this.#pill, statusText(info, asked));
    setText(this.#name, info.name);
    this.#name.title = info.name;
    const best = bestOf(run);
    const which = best?.key === "loss" ? "Best training loss" : "Best validation loss";
    const { term, value } = standing(run);
    this.#fact("epoch", term, value);
    this.#fact("best", which, best ? `${short(best.loss)} at ${best.epoch}` : "–");
    this.#fact("speed", "Speed", speedText(run));
    this.#fact("time", ["queued", "running"].includes(info.status) ? "Time left" : "Time taken", timeLeftText(run));
    this.#showControls(run, asked);
    const epoch = run.all.at("epoch", run.all.length - 1);
    const share = info.total_epochs && epoch ? Math.min(1, epoch / info.total_epochs) : 0;
    // Without a glide, whose frames would cost more than the curve: it moves ten times a second.
    this.#bar.style.transform = `scaleX(${info.status === "done" ? 1 : share})`;
    (this.#bar.parentElement as HTMLElement).hidden = info.status === "data";
    setText(this.#note, info.note ?? "");
    setText(this.#error, [info.error, pending?.failed].filter(Boolean).join("\n"));
  }

  #fact(name: string, term: string, value: string): void {
    const fact = this.#facts.get(name);
    if (!fact) return;
    setText(fact.term, term);
    setText(fact.value, value);
    (fact.term.parentElement as HTMLElement).hidden = value === "–";
  }

  #showControls(run: Run, asked: Action | null): void {
    const { info } = run;
    this.#controls.hidden = !info.controls || !isOpen(info);
    this.#controls.setAttribute("aria-label", `Control of ${info.name}`);
    const paused = info.status === "paused";
    setText(this.#pause, paused ? "▶ Resume" : "❚❚ Pause");
    this.#pause.setAttribute("aria-label", paused ? "Resume training" : "Pause training");
    setText(this.#stop, "■ Stop");
    this.#stop.setAttribute("aria-label", "Stop training early and keep the model");
    // Not `disabled`, which would take the focus away from a reader who works with the keyboard.
    this.#pause.ariaDisabled = String(asked !== null || info.requested !== null);
    // A pause takes until the epoch ends; a reader may still want to stop instead.
    this.#stop.ariaDisabled = String(asked === "stop" || info.requested === "stop");
  }
}
