// The faults menu: everything that can go wrong between the platform and the bot, at a click, and what is still to come.

import * as api from "./api.js";
import { attempt, h, icon } from "./dom.js";

/** Counted switches of the stand-in: how often it still happens, -1 until it is set back. */
const COUNTED = {
  wrong_signature: ["推送签名不对", "wrong signature on pushes"],
  wrong_appid: ["推送里 AppID 不对", "wrong AppID inside"],
  old_key: ["用上一把密钥加密", "sealed with the old key"],
  broken_padding: ["密文填充损坏", "broken padding"],
  drop_before: ["推送没说完就断线", "push cut before the answer"],
  drop_after: ["机器人的回答丢了", "the answer is lost"],
  same_msgid: ["两条消息同一个编号", "same MsgId twice"],
  template_failed: ["模板消息没送到", "template not delivered"],
  double_callback: ["网页登录回调来两次", "sign-in callback twice"],
  frozen_secret: ["AppSecret 被冻结", "secret frozen"],
};

const once = (path, fault) => ({ api: [{ path, times: 1, ...fault }] });
const refused = (path, errcode, errmsg) => once(path, { kind: "errcode", errcode, errmsg });
const [ANY, CUSTOM, TEMPLATE] = ["*", "/cgi-bin/message/custom/send", "/cgi-bin/message/template/send"];

const PRESETS = [
  ["下一条消息投递三次", "next message delivered 3×", { duplicate: { times: 3, concurrent: false, pushes: 1 } }],
  ["下一条同时来三份", "3× at once", { duplicate: { times: 3, concurrent: true, pushes: 1 } }],
  ["下次调用：系统繁忙 -1", "next call: busy", refused(ANY, -1, "system error")],
  ["下次调用：凭证失效 40001", "next call: token invalid", refused(ANY, 40001, "invalid credential")],
  ["下次调用：答完断线", "next call: answer lost", once(ANY, { kind: "drop_after" })],
  ["下次调用：慢 10 秒", "next call: 10 s slow", once(ANY, { kind: "slow", seconds: 10 })],
  ["下次调用：502 网页", "next call: HTTP 502", once(ANY, { kind: "http", status: 502 })],
  ["客服消息被拒 45015", "48 h window closed", refused(CUSTOM, 45015, "response out of time limit")],
  ["客服消息太多 45047", "window used up", refused(CUSTOM, 45047, "out of response count limit")],
  ["模板消息被拒 43004", "does not follow", refused(TEMPLATE, 43004, "require subscribe")],
  ["模板消息字段错 47003", "template field refused", refused(TEMPLATE, 47003, "argument invalid! data.thing1.value invalid")],
  ["短信网关忙", "SMS gateway busy", refused("gateway/sms", -1, "busy")],
  ["电话打不通这个号", "call: number fails", refused("gateway/call", -1, "number")],
  ["电话网关 503", "call gateway HTTP 503", once("gateway/call", { kind: "http", status: 503 })],
  ["媒体下载坏六小时", "media fails for 6 h", { media_fails_for: 6 * 3600 }],
  ["凭证立刻作废", "kill every token now", { kill_token: true }],
];

export class Faults {
  constructor(now) {
    this.now = now;
    this.list = h("div", { class: "fault-list" });
    this.waiting = h("ul", { class: "fault-waiting", testid: "faults-waiting" });
    this.count = h("span", { class: "count", testid: "faults-on", hidden: true });
    this.opener = h("button", { type: "button", class: "bar-button", testid: "faults", title: "Faults", "aria-expanded": "false", onclick: () => this.toggle() }, icon("fault", 17), "故障", this.count);
    const presets = PRESETS.map(([label, title, change], index) => h("button", { type: "button", class: "preset", testid: `fault-preset-${index}`, onclick: () => this.set(change) }, label, h("small", { lang: "en" }, title)));
    this.box = h(
      "div",
      { class: "popover faults", testid: "faults-menu", role: "group", "aria-label": "故障开关", hidden: true, onkeydown: (event) => event.key === "Escape" && this.toggle() },
      h("header", {}, h("b", {}, "一点就坏"), h("button", { type: "button", class: "plain-button", testid: "faults-clear", onclick: () => this.set({ clear: true }) }, "全部恢复 Clear all")),
      h("div", { class: "presets" }, presets),
      this.list,
      h("p", {}, "数字是还要发生几次；∞ 一直如此。Numbers count down; ∞ stays on."),
      this.waiting,
    );
    this.element = h("div", { class: "anchor right" }, this.opener, this.box);
  }

  toggle() {
    this.box.hidden = !this.box.hidden;
    this.opener.setAttribute("aria-expanded", String(!this.box.hidden));
    return this.refresh();
  }

  async refresh() {
    const answer = await attempt(() => api.faults());
    if (answer) this.draw(answer.faults ?? answer);
  }

  async set(change) {
    await attempt(() => api.setFaults(change));
    await this.refresh();
  }

  /** Drawn anew only when something changed, or a click just begun would miss its button. */
  draw(switches) {
    const drawn = JSON.stringify(switches);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const simple = Object.entries(switches).filter(([name, value]) => typeof value === "boolean" || (typeof value === "number" && name !== "media_fails_until"));
    const focused = document.activeElement?.dataset?.testid;
    this.list.replaceChildren(...simple.map(([name, value]) => this.row(name, value)));
    if (focused) this.list.querySelector(`[data-testid="${focused}"]`)?.focus();
    const waiting = this.pending(switches);
    this.waiting.replaceChildren(...waiting.map((line) => h("li", {}, line)));
    const on = simple.filter(([, value]) => value).length + waiting.length;
    this.count.hidden = on === 0;
    this.count.textContent = on;
  }

  row(name, value) {
    const [label, title] = COUNTED[name] ?? [name, ""];
    const isCounted = typeof value === "number";
    const set = (next) => () => this.set({ [name]: next });
    const button = (what, says, next) => h("button", { type: "button", testid: `fault-${name}-${what}`, "aria-label": `${label}：${says}`, title: says, onclick: set(next) }, { more: "+1", always: "∞", off: "×", on: "开" }[what]);
    return h(
      "div",
      { class: value ? "fault-row on" : "fault-row" },
      h("span", {}, label, h("small", { lang: "en" }, title)),
      h("output", { testid: `fault-${name}` }, { [-1]: "∞", true: "开" }[value] ?? (value || "")),
      isCounted ? [button("more", "再来一次", Math.max(0, value) + 1), button("always", "一直如此", -1)] : button("on", "打开", true),
      button("off", "恢复", isCounted ? 0 : false),
    );
  }

  /** One line for each fault that is set and waits for its call. */
  pending(switches) {
    const calls = (switches.api ?? []).map((fault) => `调用 ${fault.path === ANY ? "（任何）" : fault.path}：${fault.kind}${fault.kind === "errcode" ? ` ${fault.errcode}` : ""} × ${fault.times < 0 ? "∞" : fault.times}`);
    const twice = switches.duplicate?.pushes ? [`接下来 ${switches.duplicate.pushes} 条消息各来 ${switches.duplicate.times} 份`] : [];
    const media = switches.media_fails_until * 1000 > this.now() ? ["媒体下载都失败"] : [];
    return [...twice, ...calls, ...media];
  }
}
