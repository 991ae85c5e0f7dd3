// What a phone shows of a message nobody has opened: the banner, the red number, the lock screen.
// A template card shows its title there, so whatever the account writes in a title is read over people's shoulders.

import { h, icon } from "./dom.js";
import { avatar } from "./bubbles.js";
import { full, stamp } from "./dates.js";
import { isOutsideWeChat } from "./texts.js";

const SHOWN_FOR_MS = 5000;
const KINDS = { image: "[图片]", voice: "[语音]", video: "[视频]", location: "[位置]", file: "[文件]", sticker: "[表情]" };

/** One line of an item, as the chat list and the lock screen show it. */
export function summary(item) {
  if (KINDS[item.kind]) return KINDS[item.kind];
  return ((item.kind === "menu" && item.text) || item.title || item.text || "").replace(/<[^>]*>/g, "").split("\n")[0];
}

export class Notifier {
  constructor(phone) {
    this.phone = phone;
    this.unread = [];
    this.banner = h("button", { type: "button", class: "banner", testid: "banner", hidden: true, onclick: () => this.openedAtNewest() });
    this.dot = h("span", { class: "unread", testid: "unread", hidden: true });
    this.lock = h("button", { type: "button", class: "lockscreen", testid: "lockscreen", hidden: true, "aria-label": "解锁", onclick: () => this.unlock() });
  }

  /** New items from the account that nobody asked for just now, or that came while the phone lay unused. */
  arrived(all) {
    const areTextsOpen = this.lock.hidden && !this.phone.texts.element.hidden;
    const items = all.filter((item) => !(areTextsOpen && isOutsideWeChat(item)));
    this.unread.push(...items);
    this.showDot();
    if (!this.lock.hidden) return this.drawLock();
    const pushed = items.findLast((item) => item.from !== "reply");
    if (pushed) this.showBanner(pushed);
    return undefined;
  }

  showBanner(item) {
    const { phone } = this;
    this.shown = item;
    this.banner.replaceChildren(...this.lines(item));
    this.banner.hidden = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.banner.hidden = true; }, SHOWN_FOR_MS);
    phone.shell.classList.remove("buzz");
    void phone.shell.offsetWidth; // makes the browser start the animation afresh
    phone.shell.classList.add("buzz");
  }

  /** WeChat shows the account's name and one line; a short message shows where it comes from. */
  lines(item) {
    const app = { sms: ["短信", "message"], call: ["电话", "phone"] }[item.kind];
    return [
      app ? h("span", { class: "avatar sms-app", "aria-hidden": "true" }, icon(app[1], 20)) : avatar("account", this.phone.names()),
      h(
        "span",
        { class: "banner-text" },
        h("span", { class: "banner-head" }, h("b", {}, app ? app[0] : this.phone.accountName), h("time", {}, this.when(item))),
        h("span", { class: "banner-line" }, summary(item)),
      ),
    ];
  }

  when(item) {
    const at = Date.parse(item.at);
    return this.phone.now() - at < 60000 ? "现在" : stamp(at, this.phone.now());
  }

  showDot() {
    this.dot.hidden = this.unread.length === 0;
    this.dot.textContent = this.unread.length > 99 ? "99+" : String(this.unread.length);
    this.dot.setAttribute("aria-label", `${this.unread.length} 条未读`);
  }

  /** Somebody took this phone into the hand; nothing moves, or a tap just begun would miss what it aims at. */
  opened() {
    if (this.unread.length === 0 && this.banner.hidden) return;
    this.unread = [];
    this.banner.hidden = true;
    this.showDot();
  }

  /** The banner or the lock screen leads to the newest message. */
  openedAtNewest() {
    const { texts } = this.phone;
    this.opened();
    this.phone.toBottom();
    if (this.shown && isOutsideWeChat(this.shown) && texts.element.hidden) texts.toggle(false);
    this.shown = undefined;
  }

  lockNow() {
    this.unread = [];
    this.lock.hidden = false;
    this.drawLock();
    this.lock.focus();
  }

  unlock() {
    this.lock.hidden = true;
    this.openedAtNewest();
  }

  /** Once a minute while locked. */
  tick(time) {
    if (!this.lock.hidden && this.lockTime !== time) this.drawLock();
  }

  drawLock() {
    const at = full(this.phone.now());
    this.lockTime = at.time;
    this.lock.replaceChildren(
      h("span", { class: "lock-time" }, at.time),
      h("span", { class: "lock-date" }, at.date.replace(/^\d+年/, "")),
      h("span", { class: "lock-list" }, this.unread.slice(-5).reverse().map((item) => h("span", { class: "lock-note", testid: "lock-note" }, ...this.lines(item)))),
      h("span", { class: "lock-hint" }, "点一下解锁"),
    );
  }
}
