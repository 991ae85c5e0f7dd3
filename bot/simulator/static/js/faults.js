// The faults menu: everything that can go wrong between the platform and the bot, at a click.

import * as api from "./api.js";
import { attempt, h, icon } from "./dom.js";

/** Switches of the stand-in; a number counts how often it still happens, -1 until it is set back. */
const LABELS = {
  wrong_signature: "推送的签名不对",
  wrong_appid: "推送里的 AppID 不对",
  old_key: "用上一把密钥加密",
  broken_padding: "密文填充损坏",
  drop_before: "推送没说完就断线",
  drop_after: "机器人的回答丢了",
  double_callback: "网页登录回调来两次",
  frozen_secret: "AppSecret 被冻结",
};

const once = (path, fault) => ({ api: [{ path, times: 1, ...fault }] });

const PRESETS = [
  ["下一条消息投递三次", { duplicate: { times: 3, concurrent: false, pushes: 1 } }],
  ["下一条消息同时来三份", { duplicate: { times: 3, concurrent: true, pushes: 1 } }],
  ["下一次调用：系统繁忙（-1）", once("*", { kind: "errcode", errcode: -1, errmsg: "system error" })],
  ["下一次调用：凭证失效（40001）", once("*", { kind: "errcode", errcode: 40001, errmsg: "invalid credential" })],
  ["下一次调用：答完断线", once("*", { kind: "drop_after" })],
  ["下一次调用：慢 10 秒", once("*", { kind: "slow", seconds: 10 })],
  ["下一条客服消息被拒（45015）", once("/cgi-bin/message/custom/send", { kind: "errcode", errcode: 45015, errmsg: "response out of time limit" })],
  ["下一条模板消息被拒（43004）", once("/cgi-bin/message/template/send", { kind: "errcode", errcode: 43004, errmsg: "require subscribe" })],
  ["媒体下载坏六小时", { media_fails_for: 6 * 3600 }],
  ["凭证立刻作废", { kill_token: true }],
  ["全部恢复", { clear: true }],
];

export class Faults {
  constructor() {
    this.list = h("div", { class: "fault-list" });
    this.waiting = h("ul", { class: "fault-waiting", testid: "faults-waiting" });
    this.count = h("span", { class: "count", testid: "faults-on", hidden: true });
    this.opener = h("button", { type: "button", class: "bar-button", testid: "faults", "aria-expanded": "false", onclick: () => this.toggle() }, icon("fault", 17), "故障", this.count);
    const presets = PRESETS.map(([label, change], index) => h("button", { type: "button", class: "preset", testid: `fault-preset-${index}`, onclick: () => this.set(change) }, label));
    this.box = h(
      "div",
      { class: "popover faults", testid: "faults-menu", role: "group", "aria-label": "故障开关", hidden: true, onkeydown: (event) => event.key === "Escape" && this.toggle() },
      h("div", { class: "presets" }, presets),
      this.list,
      h("p", {}, "数字是还要发生几次，-1 是一直如此，0 是恢复。"),
      this.waiting,
    );
    this.element = h("div", { class: "anchor right" }, this.opener, this.box);
  }

  async toggle() {
    this.box.hidden = !this.box.hidden;
    this.opener.setAttribute("aria-expanded", String(!this.box.hidden));
    await this.refresh();
  }

  async refresh() {
    const answer = await attempt(() => api.faults());
    if (answer) this.draw(answer.faults ?? answer);
  }

  async set(change) {
    await attempt(() => api.setFaults(change));
    await this.refresh();
  }

  draw(switches) {
    const simple = Object.entries(switches).filter(([name, value]) => typeof value === "boolean" || (typeof value === "number" && name !== "media_fails_until"));
    this.list.replaceChildren(...simple.map(([name, value]) => h("label", { class: "fault-row" }, LABELS[name] ?? name, this.control(name, value))));
    const waiting = pending(switches);
    this.waiting.replaceChildren(...waiting.map((line) => h("li", {}, line)));
    const on = simple.filter(([, value]) => value).length + waiting.length;
    this.count.hidden = on === 0;
    this.count.textContent = on;
  }

  control(name, value) {
    const common = { testid: `fault-${name}`, onchange: ({ target }) => this.set({ [name]: target.type === "checkbox" ? target.checked : Number(target.value) }) };
    return typeof value === "boolean"
      ? h("input", { type: "checkbox", checked: value, ...common })
      : h("input", { type: "number", min: -1, step: 1, value, ...common });
  }
}

/** One line for each fault that is set and waits for its call. */
function pending(switches) {
  const calls = (switches.api ?? []).map((fault) => `调用 ${fault.path === "*" ? "（任何）" : fault.path}：${fault.kind}${fault.kind === "errcode" ? ` ${fault.errcode}` : ""} × ${fault.times}`);
  const twice = switches.duplicate?.pushes ? [`接下来 ${switches.duplicate.pushes} 条消息各来 ${switches.duplicate.times} 份`] : [];
  return [...twice, ...calls];
}
