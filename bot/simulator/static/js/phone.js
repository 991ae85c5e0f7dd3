// One phone: its shell, the chat with the account, and what keeps it up to date.

import { attempt, h, icon, iconButton, pickFile, saveText } from "./dom.js";
import { phoneApi } from "./api.js";
import { draw } from "./bubbles.js";
import { Call } from "./call.js";
import { Composer } from "./composer.js";
import { local, stamp } from "./dates.js";
import { openFrame } from "./frame.js";
import { Notifier } from "./notify.js";
import { Owner } from "./owner.js";
import { codeIn, openScan } from "./scan.js";
import { openAsk, openPicture, openSheet } from "./sheets.js";
import { Texts, isMissedCall, isOutsideWeChat } from "./texts.js";

const STAMP_GAP_MS = 5 * 60 * 1000;

export class Phone {
  /** `wall` is what all phones share (wall.js); `data` is this phone as the platform's state has it. */
  constructor(wall, data) {
    const { openid, name, index, following } = data;
    Object.assign(this, { wall, openid, name: name || `微信用户 ${index}`, index });
    this.api = phoneApi(openid);
    this.last = 0;
    this.lastStamp = 0;
    this.items = [];
    this.codes = [];
    this.isFirst = true;
    this.atBottom = true;
    this.notifier = new Notifier(this);
    this.texts = new Texts(this);
    this.call = new Call(this);
    this.composer = new Composer(this);
    this.owner = new Owner(this);
    this.build();
    this.setFollowing(following);
    this.take(data);
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
        iconButton("more", "公众号", () => this.accountSheet(), { testid: "account-menu", size: 22 }),
      ),
      this.list,
      this.newer,
      this.composer.element,
      this.texts.element,
      this.notifier.banner,
      this.notifier.lock,
      this.call.element,
    );
    this.shell = h("div", { class: "shell" }, this.screen);
    this.element = h("section", { class: "phone", testid: `phone-${this.index}`, "data-openid": this.openid }, this.owner.element, this.shell);
    for (const name of ["pointerdown", "focusin"]) this.screen.addEventListener(name, (event) => this.taken(event));
  }

  /** Somebody took the phone into the hand; the banner and what lies over the chat look after themselves. */
  taken({ target }) {
    const { notifier, call } = this;
    if (notifier.lock.hidden && !call.isUp && !notifier.banner.contains(target)) notifier.opened();
  }

  focus() {
    (this.composer.keyRow.hidden ? this.list : this.composer.input).focus({ preventScroll: true });
  }

  /** What the platform's state says of this phone now. */
  take(data) {
    this.name = data.name || `微信用户 ${this.index}`;
    this.element.dataset.name = this.name;
    this.element.setAttribute("aria-label", `${this.name}的手机`);
    this.owner.take(data);
    if (data.following !== this.following) this.setFollowing(data.following);
    this.heading.textContent = data.typing ? "对方正在输入…" : this.accountName;
    this.call.take(data);
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
    openSheet(this, `${this.accountName}（公众号）`, [
      { label: "扫一扫", testid: "sheet-scan", work: () => openScan(this) },
      { label: "打开网址", testid: "sheet-open", work: () => openAsk(this, "用微信打开哪个网址", { placeholder: "https://…", answered: (url) => this.open(url, "") }) },
      { label: "看手机里的一张图", testid: "sheet-picture", work: () => this.showPicture() },
      this.following
        ? { label: "取消关注", danger: true, testid: "unfollow", work: () => this.act(this.api.unfollow()) }
        : { label: "关注公众号", testid: "sheet-follow", work: () => this.act(this.api.follow()) },
    ]);
  }

  /** A picture held out to another phone's camera; the account does not get it. */
  async showPicture() {
    const file = await pickFile("image/*");
    if (file) openPicture(this, URL.createObjectURL(file));
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
    this.last = items.at(-1).n;
    this.items.push(...items);
    const elsewhere = items.filter(isOutsideWeChat);
    this.texts.append(elsewhere, this.isFirst);
    this.call.said(elsewhere);
    const chat = items.filter((item) => !isOutsideWeChat(item));
    for (const item of chat) {
      this.add(item);
      if (item.side === "me" && !this.isFirst) this.wall.said(this, item.text);
    }
    for (const image of this.list.querySelectorAll("img:not([data-seen])")) {
      image.dataset.seen = "";
      image.addEventListener("load", () => this.keepBottom());
    }
    if (this.atBottom || chat.some((item) => item.side === "me")) this.toBottom();
    else if (chat.length) this.newer.hidden = false;
    this.announce(items);
  }

  add(item) {
    const act = {
      names: this.names(),
      open: (url, title) => this.open(url, title),
      tap: (id, content) => this.act(this.api.tap(id, content)),
      view: (src) => openPicture(this, src),
      call: (number) => openSheet(this, "演示里不会真的拨出", [{ label: `呼叫 ${number}`, testid: "call", work: () => {} }]),
      gloss: this.wall.glossOf(item),
    };
    this.stampBefore(item);
    this.list.append(draw(item, act));
    const code = codeIn(item);
    if (code) this.codes.push(code);
  }

  announce(items) {
    const inHand = this.screen.contains(document.activeElement) && document.hasFocus() && this.notifier.lock.hidden;
    const received = items.filter((item) => (item.side === "account" && item.kind !== "call") || isMissedCall(item));
    if (this.isFirst || received.length === 0) return;
    const interrupts = received.some((item) => item.from === "template" || isOutsideWeChat(item));
    if (!inHand || interrupts) this.notifier.arrived(received);
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
    for (const time of this.screen.querySelectorAll(".list time, .texts time")) time.textContent = stamp(Date.parse(time.dateTime), now);
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
