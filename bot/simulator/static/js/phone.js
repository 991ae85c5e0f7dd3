// One phone: its shell, the chat with the account, and what keeps it up to date.

import { attempt, h, icon, iconButton, saveText } from "./dom.js";
import { phoneApi } from "./api.js";
import { draw } from "./bubbles.js";
import { Composer } from "./composer.js";
import { local, stamp } from "./dates.js";
import { openFrame } from "./frame.js";
import { Notifier } from "./notify.js";
import { codeIn, openPicture, openScan, openSheet } from "./sheets.js";

const STAMP_GAP_MS = 5 * 60 * 1000;

export class Phone {
  /** `wall` is what all phones share: {now(), accountName, origins, phones, hide(phone), refreshAll()}. */
  constructor(wall, { openid, name, index, following }) {
    Object.assign(this, { wall, openid, name: name || `微信用户 ${index}`, index, following });
    this.api = phoneApi(openid);
    this.last = 0;
    this.lastStamp = 0;
    this.codes = [];
    this.isFirst = true;
    this.atBottom = true;
    this.notifier = new Notifier(this);
    this.composer = new Composer(this);
    this.build();
    this.setFollowing(following);
  }

  get accountName() {
    return this.wall.accountName;
  }

  now() {
    return this.wall.now();
  }

  names() {
    return { me: this.name, account: this.accountName };
  }

  build() {
    this.list = h("div", { class: "list", testid: "messages", role: "log", "aria-label": `${this.name}的聊天`, tabindex: "0", onscroll: () => this.scrolled() });
    new ResizeObserver(() => this.keepBottom()).observe(this.list);
    this.newer = h("button", { type: "button", class: "newer", testid: "newer", hidden: true, onclick: () => this.toBottom() }, "有新消息");
    this.statusTime = h("span", { class: "status-time", testid: "phone-time" });
    this.heading = h("span", { class: "chat-title" }, this.accountName);
    this.screen = h(
      "div",
      { class: "screen" },
      h("div", { class: "status", "aria-hidden": "true" }, this.statusTime, h("span", { class: "signal" }, "4G"), h("span", { class: "battery" })),
      h(
        "header",
        { class: "chat-bar" },
        icon("back", 20),
        this.heading,
        iconButton("more", `${this.name}：公众号菜单`, () => this.accountSheet(), { testid: "account-menu", size: 22 }),
      ),
      this.list,
      this.newer,
      this.composer.element,
      this.notifier.banner,
      this.notifier.lock,
    );
    this.shell = h("div", { class: "shell" }, this.screen);
    this.element = h(
      "section",
      { class: "phone", testid: `phone-${this.index}`, "data-openid": this.openid, "data-name": this.name, "aria-label": `${this.name}的手机` },
      h(
        "div",
        { class: "owner" },
        h("span", { class: "owner-name", testid: "phone-name", title: this.openid }, this.name),
        this.notifier.dot,
        iconButton("lock", `${this.name}：锁屏`, () => this.notifier.lockNow(), { testid: "lock", size: 16 }),
        iconButton("download", `${this.name}：下载聊天记录`, () => this.download(), { testid: "transcript", size: 16 }),
        iconButton("close", `${this.name}：收起这台手机`, () => this.wall.hide(this), { testid: "hide", size: 15 }),
      ),
      this.shell,
    );
    for (const name of ["pointerdown", "focusin"]) this.screen.addEventListener(name, () => { if (this.notifier.lock.hidden) this.notifier.opened(); });
  }

  focus() {
    (this.composer.keyRow.hidden ? this.list : this.composer.input).focus({ preventScroll: true });
  }

  /** What the platform's state says of this phone now. */
  take({ following, typing }) {
    if (following !== this.following) this.setFollowing(following);
    this.heading.textContent = typing ? "对方正在输入…" : this.accountName;
  }

  setFollowing(following) {
    this.following = following;
    this.element.dataset.following = String(following);
    this.composer.setFollowing(following);
  }

  /** Do something as this person; undefined when the platform refused (the reason has been said). */
  async act(promise) {
    const answer = await attempt(() => promise);
    this.toBottom();
    await this.refresh();
    return answer;
  }

  open(url, title) {
    openFrame(this, url, title);
  }

  async download() {
    const text = await attempt(() => this.api.transcript());
    if (text !== undefined) saveText(`${this.name}.txt`, text);
  }

  accountSheet() {
    const follow = this.following
      ? { label: "取消关注", danger: true, testid: "unfollow", work: () => this.act(this.api.unfollow()) }
      : { label: "关注公众号", testid: "sheet-follow", work: () => this.act(this.api.follow()) };
    openSheet(this, `${this.accountName}（公众号）`, [
      { label: "扫一扫", testid: "sheet-scan", work: () => openScan(this) },
      { label: "锁屏", testid: "sheet-lock", work: () => this.notifier.lockNow() },
      { label: "下载聊天记录", testid: "sheet-transcript", work: () => this.download() },
      follow,
    ]);
  }

  /** Codes that this phone's camera could see elsewhere: [{from, value, label}], newest first. */
  codesOnOtherPhones() {
    const others = this.wall.phones.filter((phone) => phone !== this);
    const all = others.flatMap((phone) => phone.codes.map((code) => [`${phone.name} ${code.label}`, { from: phone.name, ...code }]));
    return [...new Map(all).values()].reverse();
  }

  /** Fetch what is new; calls that come while one is running are served by one more round. */
  async refresh() {
    if (this.running) {
      this.again = true;
      return this.running;
    }
    this.running = this.fetchNew().catch((error) => this.wall.lost(error));
    await this.running;
    this.running = undefined;
    if (!this.again) return undefined;
    this.again = false;
    return this.refresh();
  }

  async fetchNew() {
    const [{ items }, menu] = await Promise.all([this.api.screen(this.last), this.api.menu().catch(() => ({}))]);
    const drawn = JSON.stringify(menu);
    if (drawn !== this.drawnMenu) this.composer.setMenu(menu, this.isFirst);
    this.drawnMenu = drawn;
    const fresh = items.filter((item) => item.n > this.last);
    if (fresh.length) this.append(fresh);
    this.isFirst = false;
  }

  append(items) {
    const act = {
      names: this.names(),
      open: (url, title) => this.open(url, title),
      tap: (id, content) => this.act(this.api.tap(id, content)),
      view: (src) => openPicture(this, src),
      call: (number) => openSheet(this, "演示里不会真的拨出", [{ label: `呼叫 ${number}`, testid: "call", work: () => {} }]),
    };
    for (const item of items) {
      this.last = Math.max(this.last, item.n);
      this.stampBefore(item);
      this.list.append(draw(item, act));
      const code = codeIn(item);
      if (code) this.codes.push(code);
    }
    for (const image of this.list.querySelectorAll("img:not([data-seen])")) {
      image.dataset.seen = "";
      image.addEventListener("load", () => this.keepBottom());
    }
    if (this.atBottom || items.some((item) => item.side === "me")) this.toBottom();
    else this.newer.hidden = false;
    this.announce(items);
  }

  announce(items) {
    const inHand = this.screen.contains(document.activeElement) && document.hasFocus() && this.notifier.lock.hidden;
    const fromAccount = items.filter((item) => item.side === "account");
    if (this.isFirst || fromAccount.length === 0) return;
    if (!inHand || fromAccount.some((item) => item.from === "template")) this.notifier.arrived(fromAccount);
  }

  stampBefore(item) {
    const at = Date.parse(item.at);
    if (at - this.lastStamp < STAMP_GAP_MS && this.lastStamp) return;
    this.lastStamp = at;
    this.list.append(h("div", { class: "row notice" }, h("time", { datetime: item.at, testid: "stamp" }, stamp(at, this.now()))));
  }

  /** The clock moved: the status bar, and what "today" means to the stamps. */
  tick() {
    const now = this.now();
    const at = local(now);
    this.statusTime.textContent = at.time;
    this.notifier.tick(at.time);
    if (this.stampDay === at.day) return;
    this.stampDay = at.day;
    for (const time of this.list.querySelectorAll("time")) time.textContent = stamp(Date.parse(time.dateTime), now);
  }

  toBottom() {
    this.list.scrollTop = this.list.scrollHeight;
    this.atBottom = true;
    this.newer.hidden = true;
  }

  /** Pictures load and drawers open: who read the newest message goes on reading it. */
  keepBottom() {
    if (this.atBottom) this.toBottom();
  }

  scrolled() {
    this.atBottom = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
    if (this.atBottom) this.newer.hidden = true;
  }
}
