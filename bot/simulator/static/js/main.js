// The phones page of the stand-in platform: builds the top bar and the wall of phones and keeps them up to date.
//
// data-testid values that browser tests may rely on
//   top bar   clock (data-now = ISO time) · advance-600 · advance-3600 · advance-86400 · advance-604800 · advance-to-open ·
//             advance-to-field · advance-to-submit · faults · fault-<switch> · log-open · add-phone · story-restart · line (shown while the stand-in does not answer)
//   adding    add-form · add-name · add-submit · add-known (a phone that exists but is not on the wall)
//   wall      wall · phone-<index> (data-openid, data-name, data-following)
//   a phone   phone-name · unread · lock · transcript · hide · account-menu · messages · newer · phone-time · banner · lockscreen · lock-note · follow
//   messages  item (data-n, data-kind, data-side) · bubble (same data) · notice · fault · stamp · card · card-open · news · image · voice ·
//             pin (a place) · menu-item (data-id) · tap-link · link
//   composer  input · send · more · voice-button · sticker-button · menu · menu-button (data-key) · submenu · submenu-button (data-key) ·
//             menu-toggle · keyboard-toggle · chips · chip · tools · photo-file · photo-sample · voice-sample · voice-file · location · scan
//             (a phone whose account has a menu opens with the menu shown, as WeChat does: keyboard-toggle brings `input`)
//   layers    sheet · sheet-cancel · sheet-voice-sample · sheet-voice-file · place-<n> · call · sheet-scan · sheet-lock · unfollow · sheet-follow ·
//             scanner · scan-input · scan-submit · scan-choice · picture · file-input
//   frame     frame-layer · frame (the iframe) · frame-close · frame-reload · frame-widen · frame-warning
//   drawer    panel · panel-close · log-all · log-push · log-call · log · log-entry (data-kind)      page: toast

import * as api from "./api.js";
import { attempt, h, icon } from "./dom.js";
import { Clock } from "./clock.js";
import { Faults } from "./faults.js";
import { Panel } from "./panel.js";
import { Phone } from "./phone.js";
import { Story } from "./story.js";

const SHOWN_AT_FIRST = 5;
const WAIT_S = 25;
const RETRY_MS = 1500;
const ACCOUNT_NAME = "童伴";

const wall = {
  accountName: ACCOUNT_NAME,
  origins: [],
  phones: [],
  known: [],
  now: () => clock.now(),
  hide: (phone) => {
    wall.phones = wall.phones.filter((other) => other !== phone);
    phone.element.remove();
  },
  lost: () => setLine(false),
};

const root = document.getElementById("wall");
const story = new Story();
const clock = new Clock(() => refreshAll());
const faults = new Faults();
const panel = new Panel(document.getElementById("panel"), () => new Map(wall.known.map((phone) => [phone.openid, phone.name])));
const line = h("span", { class: "line", testid: "line", role: "status" });

function setLine(isUp) {
  line.hidden = isUp;
  line.textContent = isUp ? "" : "连不上替身平台，正在重试";
}

function buildBar() {
  const logButton = h("button", { type: "button", class: "bar-button", testid: "log-open", "aria-expanded": "false", onclick: () => panel.toggle() }, icon("log", 17), "平台日志");
  panel.opener = logButton;
  document.getElementById("bar").append(
    h("div", { class: "brand" }, h("b", {}, "手机墙"), h("span", { class: "mode", testid: "mode" })),
    clock.element,
    line,
    h("div", { class: "bar-right" }, addPhone(), faults.element, logButton, h("button", { type: "button", class: "bar-button", testid: "story-restart", title: "手机下面的句子从第一句重新来", onclick: () => story.restart(wall.phones) }, icon("reload", 15), "故事重来")),
  );
  document.addEventListener("pointerdown", closePopovers);
  clock.onTick = () => wall.phones.forEach((phone) => phone.tick());
}

/** A click beside an open menu of the bar closes it. */
function closePopovers({ target }) {
  for (const popover of document.querySelectorAll(".popover:not([hidden])")) {
    if (popover.parentElement.contains(target)) continue;
    popover.hidden = true;
    popover.parentElement.querySelector("[aria-expanded]").setAttribute("aria-expanded", "false");
  }
}

function addPhone() {
  const name = h("input", { testid: "add-name", placeholder: "名字，例如：路人 小陈", "aria-label": "新手机的名字", maxlength: 20, required: true });
  const known = h("div", { class: "known" });
  const submit = async (event) => {
    event.preventDefault();
    const made = await attempt(() => api.addPhone(name.value.trim()));
    if (!made) return;
    name.value = "";
    toggle(true);
    const answer = await api.state();
    takeState(answer);
    mount(wall.known.find((phone) => phone.openid === made.openid));
  };
  const form = h("form", { class: "popover", testid: "add-form", hidden: true, onsubmit: submit, onkeydown: (event) => event.key === "Escape" && toggle(true) }, h("div", { class: "add-row" }, name, h("button", { type: "submit", class: "plain-button", testid: "add-submit" }, "加一台")), known);
  const opener = h("button", { type: "button", class: "bar-button", testid: "add-phone", "aria-expanded": "false", onclick: () => toggle(!form.hidden) }, icon("add", 17), "加手机");
  const toggle = (hidden) => {
    form.hidden = hidden;
    opener.setAttribute("aria-expanded", String(!hidden));
    if (hidden) return;
    const shown = new Set(wall.phones.map((phone) => phone.openid));
    const away = wall.known.filter((phone) => !shown.has(phone.openid)).slice(0, 40);
    known.replaceChildren(...away.map((phone) => h("button", { type: "button", testid: "add-known", onclick: () => { toggle(true); mount(phone); } }, phone.name || `微信用户 ${phone.index}`)));
    name.focus();
  };
  return h("div", { class: "anchor right" }, opener, form);
}

function mount(data) {
  if (!data || wall.phones.some((phone) => phone.openid === data.openid)) return undefined;
  const phone = new Phone(wall, data);
  wall.phones.push(phone);
  root.append(phone.element);
  phone.tick();
  story.show(wall.phones);
  return phone.refresh().then(() => phone.element.scrollIntoView({ inline: "nearest", block: "nearest" }));
}

function takeState(answer) {
  wall.known = answer.phones;
  wall.accountName = answer.account?.name ?? ACCOUNT_NAME;
  wall.origins = [answer.account?.public_origin, answer.account?.bot_url].filter(Boolean);
  clock.set(answer.clock);
  const mode = document.querySelector(".mode");
  mode.textContent = { plain: "明文", compatible: "兼容", safe: "安全" }[answer.account?.mode] ?? answer.account?.mode ?? "";
  mode.title = `推送方式 ${answer.account?.mode ?? ""} · ${answer.account?.kind ?? ""} · ${answer.account?.app_id ?? ""}`;
  for (const phone of wall.phones) {
    const now = answer.phones.find((other) => other.openid === phone.openid);
    if (now) phone.take(now);
  }
}

async function refreshAll() {
  takeState(await api.state());
  await Promise.all([...wall.phones.map((phone) => phone.refresh()), panel.refresh()]);
}

/** Wait for changes for ever; a stand-in that went away may have come back as another one, so the page starts afresh. */
async function follow() {
  let seen = 0;
  let wasAway = false;
  for (;;) {
    try {
      const { n } = await api.changes(seen, seen === 0 || wasAway ? 0 : WAIT_S);
      if (wasAway || n < seen) return location.reload();
      if (n !== seen || !line.hidden) await refreshAll();
      seen = n;
      setLine(true);
    } catch {
      wasAway = true;
      setLine(false);
      await pause();
    }
  }
}

const pause = () => new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });

async function start() {
  setLine(true);
  buildBar();
  await story.load();
  for (;;) {
    try {
      takeState(await api.state());
      break;
    } catch {
      setLine(false);
      await pause();
    }
  }
  const named = wall.known.filter((phone) => phone.name);
  await Promise.all((named.length ? named : wall.known).slice(0, SHOWN_AT_FIRST).map((phone) => mount(phone)));
  root.scrollLeft = 0;
  document.body.dataset.ready = "true";
  await follow();
}

await start();
