// A phone that rings: over everything else, until somebody picks up or hangs up; then the words as text, and a keypad.

import { attempt, h, icon } from "./dom.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const ENDED_FOR_MS = 1500;

export class Call {
  constructor(phone) {
    this.phone = phone;
    this.words = h("div", { class: "call-words", testid: "call-words", role: "log", "aria-live": "assertive", hidden: true });
    this.number = h("div", { class: "call-state" });
    this.state = h("div", { class: "call-state", testid: "call-state", role: "status" });
    this.keypad = h("div", { class: "keypad", hidden: true }, KEYS.map((key) => h("button", { type: "button", testid: `key-${key}`, "aria-label": `按 ${key}`, onclick: () => this.press(key) }, key)));
    this.pickUpButton = h("button", { type: "button", class: "take", testid: "pick-up", onclick: () => this.pickUp() }, icon("phone", 26), h("span", {}, "接听"));
    this.hangUpButton = h("button", { type: "button", class: "drop", testid: "hang-up", onclick: () => this.hangUp() }, icon("hangup", 26), h("span", {}, "挂断"));
    this.element = h(
      "section",
      { class: "ring-screen", testid: "call-screen", role: "dialog", "aria-label": `${phone.name}的来电`, hidden: true },
      h("div", { class: "call-who" }, h("span", { class: "call-face", "aria-hidden": "true" }, icon("phone", 26)), h("b", {}, "自动语音电话"), this.number, this.state),
      this.words,
      this.keypad,
      h("div", { class: "call-buttons" }, this.hangUpButton, this.pickUpButton),
    );
  }

  get isUp() {
    return !this.element.hidden;
  }

  get isRinging() {
    return Boolean(this.id) && !this.talking;
  }

  /** What the platform's state says: who rings, who is on the line, or that the call is over. */
  take({ ringing, talking, number }) {
    this.number.textContent = number ? `打到 ${number}` : "";
    if (ringing && ringing.id !== this.id) this.ring(ringing);
    else if (talking && !(this.talking && talking.id === this.id)) this.talk(talking);
    else if (!ringing && !talking && this.id) this.end();
  }

  ring({ id, text }) {
    Object.assign(this, { id, text, talking: false });
    clearTimeout(this.ending);
    this.state.textContent = "来电…";
    this.words.hidden = this.keypad.hidden = true;
    this.words.replaceChildren();
    this.pickUpButton.hidden = this.hangUpButton.hidden = false;
    this.element.hidden = false;
    this.phone.shell.classList.add("ringing");
  }

  /** Once for each call: the platform's state and the answer to the tap both say that it was taken. */
  talk(call) {
    if (this.talking && call.id === this.id) return;
    if (call.id !== this.id) this.ring(call);
    this.talking = true;
    this.phone.shell.classList.remove("ringing");
    this.state.textContent = "通话中";
    this.pickUpButton.hidden = true;
    this.hear(this.text);
    this.words.hidden = this.keypad.hidden = false;
    this.keypad.firstChild.focus({ preventScroll: true });
  }

  async pickUp() {
    const { id, text } = this;
    if (await this.tell(this.phone.api.pickUp())) this.talk({ id, text });
  }

  async press(key) {
    this.hear(`按了 ${key}`, "pressed");
    await this.tell(this.phone.api.press(key));
  }

  async hangUp() {
    await this.tell(this.phone.api.hangUp());
    this.end();
  }

  hear(text, how = "heard") {
    this.words.append(h("p", { class: how }, text));
    this.words.scrollTop = this.words.scrollHeight;
  }

  /** Words that came while talking: what the bot says to a key. */
  said(items) {
    if (this.talking) for (const item of items) if (item.kind === "call" && item.side === "account" && item.text !== this.text) this.hear(item.text);
  }

  async tell(promise) {
    const answer = await attempt(() => promise);
    await this.phone.refresh();
    return answer;
  }

  end() {
    if (!this.id) return;
    this.state.textContent = this.talking ? "通话结束" : "未接";
    this.id = undefined;
    this.talking = false;
    this.phone.shell.classList.remove("ringing");
    this.keypad.hidden = this.pickUpButton.hidden = this.hangUpButton.hidden = true;
    this.ending = setTimeout(() => { this.element.hidden = true; }, ENDED_FOR_MS);
  }
}
