// The phones on the table: which ones, in which order (kept in this browser), and what they share.

import { Phone } from "./phone.js";

const SHOWN_AT_FIRST = 5;
const ACCOUNT_NAME = "童伴";
const KEY = "tongban-wall";

export class Wall {
  /**
   * `now()` is the stand-in's time, `lost()` is told when it does not answer, `changed()` when phones come, go or move,
   * `said(phone, text)` what somebody wrote; `glossOf(item)` is what its words mean in English.
   */
  constructor(root, { now, lost, changed, said, glossOf }) {
    Object.assign(this, { root, now, lost, changed, said, glossOf, accountName: ACCOUNT_NAME, origins: [], phones: [], known: [] });
    root.addEventListener("dragover", (event) => event.preventDefault());
    root.addEventListener("drop", (event) => this.dropped(event));
  }

  /** The phones of the last visit; at first the named ones. */
  async open() {
    const byId = new Map(this.known.map((phone) => [phone.openid, phone]));
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]").map((openid) => byId.get(openid)).filter(Boolean);
    const named = this.known.filter((phone) => phone.name);
    const shown = kept.length ? kept : (named.length ? named : this.known).slice(0, SHOWN_AT_FIRST);
    await Promise.all(shown.map((phone) => this.mount(phone)));
    this.root.scrollLeft = 0;
  }

  mount(data) {
    if (!data || this.phones.some((phone) => phone.openid === data.openid)) return undefined;
    const phone = new Phone(this, data);
    this.phones.push(phone);
    this.root.append(phone.element);
    phone.tick();
    this.keep();
    return phone.refresh().then(() => phone.element.scrollIntoView({ inline: "nearest", block: "nearest" }));
  }

  hide(phone) {
    this.phones = this.phones.filter((other) => other !== phone);
    phone.element.remove();
    this.keep();
  }

  move(phone, place) {
    const others = this.phones.filter((other) => other !== phone);
    const next = others[place];
    others.splice(place, 0, phone);
    this.phones = others;
    this.root.insertBefore(phone.element, next?.element ?? null);
    this.keep();
  }

  dropped(event) {
    const moved = this.phones.find((phone) => phone.openid === event.dataTransfer.getData("text/plain"));
    const place = this.phones.findIndex((phone) => phone.element.contains(event.target));
    if (!moved || place < 0) return;
    event.preventDefault();
    this.move(moved, place);
  }

  keep() {
    localStorage.setItem(KEY, JSON.stringify(this.phones.map((phone) => phone.openid)));
    this.changed();
  }

  /** What the platform's state says now. A phone that rings is put on the table, or nobody would hear it. */
  take({ account, phones }) {
    this.known = phones;
    this.accountName = account?.name ?? ACCOUNT_NAME;
    this.origins = [account?.public_origin, account?.bot_url].filter(Boolean);
    for (const phone of this.phones) {
      const now = phones.find((other) => other.openid === phone.openid);
      if (now) phone.take(now);
    }
    if (this.phones.length) for (const one of phones) if (one.ringing) this.mount(one);
  }

  tick() {
    for (const phone of this.phones) phone.tick();
  }

  refresh() {
    return Promise.all(this.phones.map((phone) => phone.refresh()));
  }
}
