// The other things a phone has besides WeChat: short messages (green bubbles) and the list of calls.

import { attempt, h, icon, iconButton } from "./dom.js";
import { stamp } from "./dates.js";

/** Whether a screen item belongs here and not into the chat. */
export const isOutsideWeChat = (item) => item.kind === "sms" || item.kind === "call";

/** A call that nobody took (strings.json, call_missed). */
export const isMissedCall = (item) => item.kind === "call" && item.side === "notice" && item.text.includes("未接");

export class Texts {
  constructor(phone) {
    this.phone = phone;
    this.unread = 0;
    this.count = h("span", { class: "count", hidden: true });
    this.opener = h("button", { type: "button", class: "texts-open", testid: "sms-open", title: "短信和电话 · SMS and calls", "aria-label": "短信和电话", "aria-expanded": "false", onclick: () => this.toggle() }, icon("message", 16), this.count);
    this.list = h("div", { class: "texts-list", testid: "sms-list", role: "log", "aria-label": "短信和电话", tabindex: "0" });
    this.empty = h("p", { class: "texts-empty" }, "还没有短信和电话。");
    this.input = h("input", { testid: "sms-input", "aria-label": "回短信", placeholder: "短信", autocomplete: "off", maxlength: 300 });
    const form = h("form", { class: "texts-form", onsubmit: (event) => this.send(event) }, this.input, h("button", { type: "submit", class: "texts-send", testid: "sms-send", "aria-label": "发送短信" }, icon("up", 18)));
    this.element = h(
      "section",
      { class: "texts", testid: "sms", "aria-label": "短信", hidden: true, onkeydown: (event) => event.key === "Escape" && this.toggle(true) },
      h("header", { class: "texts-bar" }, iconButton("back", "回到微信", () => this.toggle(true), { testid: "sms-close", size: 20 }), h("b", {}, "短信和电话"), h("span")),
      this.empty,
      this.list,
      form,
    );
  }

  toggle(hidden = !this.element.hidden) {
    this.element.hidden = hidden;
    this.opener.setAttribute("aria-expanded", String(!hidden));
    if (hidden) return this.opener.focus({ preventScroll: true });
    this.read();
    this.list.scrollTop = this.list.scrollHeight;
    return this.input.focus({ preventScroll: true });
  }

  read() {
    this.unread = 0;
    this.showCount();
  }

  showCount() {
    this.count.hidden = this.unread === 0;
    this.count.textContent = String(this.unread);
    this.opener.setAttribute("aria-label", this.unread ? `短信和电话，${this.unread} 条未读` : "短信和电话");
  }

  /** New items; at first, those of earlier days count as read. */
  append(items, areOld) {
    for (const item of items) {
      this.list.append(this.draw(item));
      const isNews = item.kind === "sms" ? item.side === "account" : isMissedCall(item);
      if (isNews && !areOld && this.element.hidden) this.unread += 1;
    }
    this.empty.hidden = this.list.children.length > 0;
    this.showCount();
    this.list.scrollTop = this.list.scrollHeight;
  }

  draw(item) {
    const at = h("time", { datetime: item.at }, stamp(Date.parse(item.at), this.phone.now()));
    const words = { testid: "sms-words" };
    const data = { testid: "sms-item", "data-kind": item.kind, "data-side": item.side, "data-n": item.n };
    if (item.kind === "call") {
      const isMissed = isMissedCall(item);
      const isHead = isMissed || item.text === "来电";
      return h("div", { class: `call-line ${isMissed ? "missed" : isHead ? "head" : item.side}`, ...data }, isHead ? [icon("phone", 14), h("span", words, item.text), at] : h("span", words, item.text));
    }
    return h("div", { class: `text-line ${item.side}`, ...data }, at, h("div", { class: "text-bubble", ...words }, item.text));
  }

  async send(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text) return;
    const { phone } = this;
    if (await attempt(() => phone.api.sms(text))) this.input.value = "";
    await phone.refresh();
  }
}
