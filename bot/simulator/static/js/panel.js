// The drawer that shows the wire: what the platform pushed (as sent and decrypted), what the bot called, SMS and calls.

import * as api from "./api.js";
import { attempt, h, iconButton } from "./dom.js";
import { local } from "./dates.js";
import { pretty } from "./pretty.js";

const KEPT = 2000;
const TITLES = {
  xml: "推送（解密后）", query: "网址参数（签名）", body: "推送（线上原文）", status: "HTTP 状态", answer: "机器人的回答（线上原文）", answer_plain: "回答（解密后）",
  problem: "平台不认的原因", ms: "用时（毫秒）", attempt: "第几次投递", trigger: "类型", openid: "用户", method: "方法", path: "路径", request: "请求",
  response: "回答", errcode: "错误码", reason: "原因", sample: "样本", fault: "故障", way: "方向", text: "内容",
};
const WAYS = { push: "推送", call: "调用", alarm: "告警", gateway: "短信电话", note: "备注" };
/** What is read first when an entry is opened; the rest follows as it came. */
const FIRST = ["xml", "answer_plain", "request", "response", "problem"];
const HIDDEN = new Set(["n", "at", "kind"]);
const FILTERS = [["all", "全部", "all"], ["push", "平台推送", "pushes"], ["call", "机器人调用", "calls"], ["gateway", "短信电话", "SMS and calls"], ["bad", "出错", "errors"]];
const JOB_IN_CALL = /"id"\s*:\s*"([^"]+)"/;
const NUMBER_IN_CALL = /"(?:to|from)"\s*:\s*"(\+?\d+)"/;
const EVENT_IN_CALL = /"event"\s*:\s*"(\w+)"/;
const EVENTS = { delivered: "送到了", failed: "没送到", pressed: "按了键", replied: "回了短信" };
const USER_IN_CALL = /"(?:touser|openid)"\s*:\s*"([^"]+)"|[?&]openid=([\w-]+)/;

export class Panel {
  constructor(root, wall) {
    Object.assign(this, { root, wall, last: 0, filter: "all", jobs: new Map(), texts: new WeakMap() });
    this.list = h("ol", { class: "log", testid: "log" });
    this.tabs = FILTERS.map(([kind, label, title]) =>
      h("button", { type: "button", role: "tab", testid: `log-${kind}`, title, "data-kind": kind, "aria-selected": String(kind === "all"), onclick: () => this.show(kind) }, label),
    );
    this.who = h("select", { testid: "log-phone", "aria-label": "只看哪台手机", onchange: () => this.sift() });
    this.words = h("input", { type: "search", testid: "log-words", placeholder: "找字", "aria-label": "在日志里找", oninput: () => this.sift() });
    this.empty = h("p", { class: "log-empty" }, "这里还没有往来。发一条消息试试。");
    root.append(
      h("header", {}, h("div", { class: "tabs", role: "tablist" }, this.tabs), iconButton("close", "关闭平台日志", () => this.toggle(), { testid: "panel-close", size: 18 })),
      h("div", { class: "log-sieve" }, this.who, this.words),
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
    for (const tab of this.tabs) tab.setAttribute("aria-selected", String(tab.dataset.kind === kind));
    this.sift();
  }

  /** Only while it is open: the log may be long and nobody is looking. */
  async refresh() {
    if (this.root.hidden || this.running) return;
    this.running = true;
    this.offerPhones();
    const answer = await attempt(() => api.log(this.last));
    this.running = false;
    const fresh = (answer?.entries ?? []).filter((entry) => entry.n > this.last).slice(-KEPT);
    for (const entry of fresh) {
      this.last = entry.n;
      this.list.prepend(this.draw(entry));
    }
    while (this.list.children.length > KEPT) this.list.lastChild.remove();
    this.sift();
  }

  offerPhones() {
    const offered = this.wall.phones.map((phone) => `${phone.openid} ${phone.name}`).join();
    if (offered === this.offered) return;
    this.offered = offered;
    const chosen = this.who.value;
    this.who.replaceChildren(h("option", { value: "" }, "所有手机"), ...this.wall.phones.map((phone) => h("option", { value: phone.openid }, phone.name)));
    this.who.value = chosen;
    if (this.who.selectedIndex < 0) this.who.value = "";
  }

  /** Hide what the tab, the phone and the words leave out. */
  sift() {
    const words = this.words.value.trim();
    let shown = 0;
    for (const row of this.list.children) {
      const { kind, openid, bad } = row.dataset;
      const fits = (this.filter === "all" || this.filter === kind || (this.filter === "bad" && bad)) && (!this.who.value || this.who.value === openid) && (!words || this.texts.get(row).includes(words));
      row.hidden = !fits;
      if (fits) shown += 1;
    }
    this.empty.hidden = shown > 0;
  }

  draw(entry) {
    const at = local(entry.at);
    const openid = this.userOf(entry);
    const { kind } = entry;
    const row = h(
      "li",
      { class: `entry ${kind}${isBad(entry) ? " bad" : ""}`, testid: "log-entry", "data-kind": kind, "data-openid": openid, "data-bad": isBad(entry) ? "yes" : undefined },
      h(
        "details",
        { ontoggle: ({ target }) => { if (target.children.length === 1) target.append(all(entry)); } },
        h(
          "summary",
          {},
          h("span", { class: "way" }, WAYS[kind] ?? kind),
          h("span", { class: "entry-title", testid: "log-title" }, this.headline(entry, openid)),
          h("time", {}, `${at.time}:${at.second}`),
        ),
      ),
    );
    this.texts.set(row, `${row.textContent} ${JSON.stringify(entry)}`);
    return row;
  }

  /** Whose phone an entry is about, as far as it says so. */
  userOf(entry) {
    if (entry.openid) return entry.openid;
    if (entry.kind === "gateway") return this.holderOf(entry.request ?? "");
    const found = USER_IN_CALL.exec(`${entry.path ?? ""} ${entry.request ?? ""}`);
    return found?.[1] ?? found?.[2];
  }

  /** The phone of an SMS or call: by its number, later by the job that once had this number. */
  holderOf(request) {
    const job = JOB_IN_CALL.exec(request)?.[1];
    const number = NUMBER_IN_CALL.exec(request)?.[1] ?? this.jobs.get(job);
    if (job && number) this.jobs.set(job, number);
    return number && this.wall.known.find((phone) => phone.number === number)?.openid;
  }

  headline(entry, openid) {
    const who = this.wall.known.find((phone) => phone.openid === openid)?.name || openid || "";
    if (entry.kind === "push") {
      const again = entry.attempt > 1 ? `（第 ${entry.attempt} 次）` : "";
      return `${who}：${contentOf(entry.xml ?? "") || entry.trigger}${again}`;
    }
    const code = entry.errcode || (entry.status >= 400 ? entry.status : "");
    const way = { "from bot": "机器人 →", "to bot": "→ 机器人" }[entry.way];
    const event = EVENT_IN_CALL.exec(entry.way === "to bot" ? entry.request : "")?.[1];
    return [way, entry.method, entry.path?.split("?")[0], EVENTS[event] ?? event, entry.reason ?? entry.text, code && `→ ${code}`, who].filter(Boolean).join(" ");
  }
}

/** The words of a pushed text, or the key of an event. */
const contentOf = (xml) => /<(?:Content|EventKey)><!\[CDATA\[([\s\S]+?)\]\]>/.exec(xml)?.[1];

const isBad = (entry) => Boolean(entry.problem) || Boolean(entry.errcode) || Boolean(entry.fault) || entry.status >= 400 || entry.kind === "alarm";

/** Everything an entry holds, what is read first before the rest; made when somebody looks. */
function all(entry) {
  const keys = Object.keys(entry).filter((key) => !HIDDEN.has(key) && entry[key] !== null && entry[key] !== "");
  const ordered = [...FIRST.filter((key) => keys.includes(key)), ...keys.filter((key) => !FIRST.includes(key))];
  return h("dl", {}, ordered.map((key) => [h("dt", {}, TITLES[key] ?? key), h("dd", {}, shown(entry[key]))]));
}

function shown(value) {
  if (typeof value === "string") return h("pre", {}, pretty(value));
  return h("pre", {}, typeof value === "object" ? JSON.stringify(value, null, 2) : String(value));
}
