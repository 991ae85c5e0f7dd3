// The in-app browser of one phone. Each phone has a host name of its own (phone-1.localhost), so that two phones
// signed in at the same time keep their cookies apart, as two real phones would.

import { h, iconButton } from "./dom.js";

const LOGICAL_WIDTH = 360;
const SIGN_IN = "/connect/oauth2/authorize";
/** The platform's picture of a QR code; from this page's own address other phones' cameras can read it. */
const CODE_PICTURE = "/cgi-bin/showqrcode";

/**
 * The address a phone really opens. Pages of the account (`origins`) and the sign-in page move to the phone's own
 * host, where the stand-in plays the browser of this one person; others stay as they are.
 */
export function addressFor(index, url, origins) {
  const target = new URL(url, origins[0] ?? location.href);
  if (target.pathname === CODE_PICTURE) return { src: `${location.origin}${target.pathname}${target.search}`, outside: false };
  if (target.origin === location.origin && target.pathname !== SIGN_IN) return { src: target.href, outside: false };
  if (!origins.includes(target.origin) && target.pathname !== SIGN_IN) return { src: target.href, outside: true };
  return { src: `${hostOf(index)}${target.pathname}${target.search}${target.hash}`, outside: false };
}

const hostOf = (index) => `http://phone-${index}.localhost:${location.port}`;

/** The address as far as it is one, else undefined. */
function readable(url, origins) {
  try {
    return /^https?:$/.test(new URL(url, origins[0] ?? location.href).protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}

/** Open a page over the phone; it closes by its own button or Escape. */
export function openFrame(phone, url, title) {
  if (readable(url, phone.wall.origins) === undefined) return;
  phone.screen.querySelector(".frame")?.remove();
  new Frame(phone, url, title).show();
}

class Frame {
  constructor(phone, url, title) {
    this.phone = phone;
    Object.assign(this, addressFor(phone.index, url, phone.wall.origins));
    this.page = h("iframe", { testid: "frame", title: title || "网页", name: `phone-${phone.index}` });
    this.busy = h("div", { class: "frame-busy", "aria-hidden": "true" });
    this.holder = h("div", { class: "frame-page" }, this.page);
    this.watcher = new ResizeObserver(() => this.fit());
    this.page.addEventListener("load", () => { this.busy.hidden = true; });
    this.layer = h(
      "section",
      { class: "frame", testid: "frame-layer", "aria-label": "网页", onkeydown: (event) => event.key === "Escape" && this.close() },
      h(
        "header",
        { class: "frame-bar" },
        iconButton("close", "关闭网页", () => this.close(), { testid: "frame-close", size: 20 }),
        iconButton("back", "返回上一页", () => this.back(), { testid: "frame-back", size: 18 }),
        h("div", { class: "frame-title" }, title || phone.accountName),
        iconButton("reload", "刷新", () => this.reload(), { testid: "frame-reload", size: 18 }),
        iconButton("widen", "放大这台手机", () => phone.shell.classList.toggle("widened"), { testid: "frame-widen", size: 18 }),
      ),
      this.busy,
      this.holder,
    );
  }

  show() {
    this.watcher.observe(this.holder);
    this.phone.screen.append(this.layer);
    if (this.outside) this.warn();
    else this.go(this.src);
    this.fit();
    this.layer.querySelector("button").focus({ preventScroll: true });
  }

  go(address) {
    this.busy.hidden = false;
    this.holder.classList.add("shown");
    this.page.src = address;
  }

  /** Pages are made for a real phone's width: lay them out at that width and scale them down to the drawn phone. */
  fit() {
    const scale = Math.min(1, this.holder.clientWidth / LOGICAL_WIDTH);
    Object.assign(this.page.style, { width: `${this.holder.clientWidth / scale}px`, height: `${this.holder.clientHeight / scale}px`, transform: `scale(${scale})` });
  }

  /** Pages of the account that were opened here, oldest first; none for any other site. */
  async pages() {
    return this.src.startsWith(hostOf(this.phone.index)) ? (await this.phone.api.pages()).pages : [];
  }

  /** To the page before, else out of the browser, as the back key of a phone does. */
  async back() {
    const before = (await this.pages()).at(-2);
    return before === undefined ? this.close() : this.go(hostOf(this.phone.index) + before);
  }

  async reload() {
    const now = (await this.pages()).at(-1);
    this.go(now === undefined ? this.src : hostOf(this.phone.index) + now);
  }

  close() {
    this.watcher.disconnect();
    this.phone.shell.classList.remove("widened");
    this.layer.remove();
    this.phone.api.closePages();
    this.phone.focus();
  }

  warn() {
    this.busy.hidden = true;
    const proceed = () => {
      box.remove();
      this.go(this.src);
    };
    const box = h(
      "div",
      { class: "frame-warning", testid: "frame-warning" },
      h("p", {}, "将要访问的网页不属于这个公众号："),
      h("p", { class: "address" }, this.src),
      h("button", { type: "button", class: "plain-button", onclick: proceed }, "继续访问"),
    );
    this.layer.append(box);
  }
}
