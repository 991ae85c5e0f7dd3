// The drawer that shows the wire: what the platform pushed (as sent and decrypted), what the bot called, and faults to switch on.

import * as api from "./api.js";
import { attempt, h, iconButton } from "./dom.js";
import { local } from "./dates.js";

const KEPT = 300;
const TITLES = {
  xml: "推送（解密后）", query: "网址参数（签名）", body: "推送（线上原文）", status: "HTTP 状态", answer: "机器人的回答（线上原文）", answer_plain: "回答（解密后）",
  problem: "平台不认的原因", ms: "用时（毫秒）", attempt: "第几次投递", trigger: "类型", openid: "用户", method: "方法", path: "路径", request: "请求",
  response: "平台的回答", errcode: "错误码", reason: "原因", sample: "样本",
};
const WAYS = { push: "推送", call: "调用", alarm: "告警" };
const HIDDEN = new Set(["n", "at", "kind"]);

export class Panel {
  constructor(root, names) {
    this.root = root;
    this.names = names;
    this.last = 0;
    this.filter = "all";
    this.list = h("ol", { class: "log", testid: "log" });
    this.tabs = [["all", "全部"], ["push", "平台推送"], ["call", "机器人调用"], ["alarm", "告警"]].map(([kind, label]) =>
      h("button", { type: "button", role: "tab", testid: `log-${kind}`, "data-kind": kind, "aria-selected": String(kind === "all"), onclick: () => this.show(kind) }, label),
    );
    this.empty = h("p", { class: "log-empty" }, "还没有往来。发一条消息试试。");
    root.append(
      h("header", {}, h("div", { class: "tabs", role: "tablist" }, this.tabs), iconButton("close", "关闭平台日志", () => this.toggle(), { testid: "panel-close", size: 18 })),
      this.empty,
      this.list,
    );
  }

  toggle() {
    this.root.hidden = !this.root.hidden;
    this.opener?.setAttribute("aria-expanded", String(!this.root.hidden));
    return this.refresh();
  }

  show(kind) {
    this.filter = kind;
    this.list.dataset.filter = kind;
    for (const tab of this.tabs) tab.setAttribute("aria-selected", String(tab.dataset.kind === kind));
  }

  /** Only while it is open: the log may be long and nobody is looking. */
  async refresh() {
    if (this.root.hidden || this.running) return;
    this.running = true;
    const answer = await attempt(() => api.log(this.last));
    this.running = false;
    for (const entry of answer?.entries ?? []) {
      if (entry.n <= this.last) continue;
      this.last = entry.n;
      this.list.prepend(this.draw(entry));
    }
    while (this.list.children.length > KEPT) this.list.lastChild.remove();
    this.empty.hidden = this.list.children.length > 0;
  }

  draw(entry) {
    const at = local(entry.at);
    return h(
      "li",
      { class: `entry ${entry.kind}${isBad(entry) ? " bad" : ""}`, testid: "log-entry", "data-kind": entry.kind },
      h(
        "details",
        {},
        h(
          "summary",
          {},
          h("span", { class: "way" }, WAYS[entry.kind] ?? entry.kind),
          h("span", { class: "entry-title" }, this.headline(entry)),
          h("time", {}, `${at.time}:${at.second}`),
        ),
        h("dl", {}, Object.entries(entry).filter(([key, value]) => !HIDDEN.has(key) && value !== null && value !== "").map(([key, value]) => [
          h("dt", {}, TITLES[key] ?? key),
          h("dd", {}, shown(value)),
        ])),
      ),
    );
  }

  headline(entry) {
    const who = this.names().get(entry.openid) || entry.openid;
    if (entry.kind === "call") return `${entry.method} ${entry.path.split("?")[0]}${entry.errcode ? ` → ${entry.errcode}` : ""}`;
    if (entry.kind === "alarm") return [who, entry.reason].filter(Boolean).join("：");
    const again = entry.attempt > 1 ? `（第 ${entry.attempt} 次）` : "";
    return `${who}：${contentOf(entry.xml ?? "") || entry.trigger}${again}`;
  }
}

/** The words of a pushed text, or the key of an event. */
const contentOf = (xml) => /<(?:Content|EventKey)><!\[CDATA\[([\s\S]+?)\]\]>/.exec(xml)?.[1];

const isBad = (entry) => Boolean(entry.problem) || Boolean(entry.errcode) || entry.status >= 400 || entry.kind === "alarm";

function shown(value) {
  if (typeof value === "string") return h("pre", {}, readable(value));
  return h("pre", {}, typeof value === "object" ? JSON.stringify(value, null, 2) : String(value));
}

/** One element or member a line; everything else as it came. */
function readable(text) {
  if (text.startsWith("<xml>")) return text.replace(/(<\/\w+>|^<xml>)(?=<)/g, "$1\n");
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
