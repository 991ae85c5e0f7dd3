// The top bar's clock: the county's time (it can only be moved forward), and the buttons that move it.

import * as api from "./api.js";
import { attempt, h, icon, toast } from "./dom.js";
import { fieldValue, full, nextAt, secondsUntil } from "./dates.js";

const STEPS = [
  ["+10 分钟", 600, "10 minutes"],
  ["+1 小时", 3600, "1 hour"],
  ["+1 天", 86400, "1 day"],
  ["+1 周", 604800, "1 week"],
];
/** When the county's morning digests go out. */
const MORNING = "07:30";

export class Clock {
  constructor(moved) {
    this.moved = moved;
    this.offset = 0;
    this.date = h("span", { class: "clock-date" });
    this.time = h("span", { class: "clock-time" });
    this.buttons = STEPS.map(([label, seconds, title]) =>
      h("button", { type: "button", class: "step", testid: `advance-${seconds}`, title, onclick: () => this.advance(seconds) }, label),
    );
    this.buttons.push(h("button", { type: "button", class: "step", testid: "advance-morning", title: "到下一个早上 7:30 · next morning", onclick: () => this.advance(this.untilMorning()) }, icon("sunrise", 16), "7:30"));
    this.field = h("input", { type: "datetime-local", testid: "advance-to-field", "aria-label": "把时间拨到" });
    this.form = h(
      "form",
      { class: "popover calendar", testid: "advance-to", hidden: true, onsubmit: (event) => this.advanceTo(event) },
      h("label", {}, "拨到", this.field),
      h("button", { type: "submit", class: "plain-button", testid: "advance-to-submit" }, "拨"),
      h("p", {}, "时间只能往前。"),
    );
    this.opener = h("button", { type: "button", class: "step", testid: "advance-to-open", "aria-label": "拨到某日某时", "aria-expanded": "false", title: "拨到某日某时", onclick: () => this.toggle() }, icon("calendar", 16));
    this.element = h(
      "div",
      { class: "clock" },
      h("div", { class: "clock-face", testid: "clock", role: "timer", "aria-label": "演示时间" }, this.date, this.time),
      this.buttons,
      h("div", { class: "anchor" }, this.opener, this.form),
    );
    setInterval(() => this.draw(), 1000);
  }

  /** Milliseconds of the stand-in's time. */
  now() {
    return Date.now() + this.offset;
  }

  set(iso) {
    this.offset = Date.parse(iso) - Date.now();
    this.draw();
  }

  draw() {
    const at = full(this.now());
    this.date.textContent = at.date;
    this.time.textContent = `${at.time}:${at.seconds}`;
    this.element.querySelector(".clock-face").dataset.now = new Date(this.now()).toISOString();
    this.onTick?.();
  }

  toggle(hidden = !this.form.hidden) {
    this.form.hidden = hidden;
    this.opener.setAttribute("aria-expanded", String(!hidden));
    if (!hidden) {
      this.field.value = fieldValue(this.now());
      this.field.min = this.field.value;
      this.field.focus();
    }
  }

  untilMorning() {
    return secondsUntil(this.now(), nextAt(this.now(), MORNING));
  }

  async advanceTo(event) {
    event.preventDefault();
    const seconds = secondsUntil(this.now(), this.field.value);
    if (!(seconds > 0)) return toast("时间只能往前拨。");
    this.toggle(true);
    return this.advance(seconds);
  }

  async advance(seconds) {
    if (this.element.classList.contains("moving")) return undefined;
    this.busy(true);
    const answer = await attempt(() => api.advance(seconds));
    await this.moved();
    this.busy(false);
    return answer;
  }

  /** While time is moving everything that falls due in between is played; the buttons wait for it. */
  busy(moving) {
    this.element.classList.toggle("moving", moving);
    this.element.setAttribute("aria-busy", String(moving));
    for (const button of [...this.buttons, this.opener]) button.disabled = moving;
  }
}
