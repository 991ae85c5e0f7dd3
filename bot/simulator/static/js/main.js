// The phones page of the stand-in platform: builds the top bar and the wall of phones and keeps them up to date.
//
// data-testid values that browser tests may rely on
//   top bar   clock (data-now = ISO time) · advance-600 · advance-3600 · advance-86400 · advance-604800 · advance-morning · advance-to-open ·
//             advance-to-field · advance-to-submit · faults · faults-on · log-open · add-phone · story-play · story-restart · gloss-toggle ·
//             lock-all · line (shown while the stand-in does not answer)
//   story     captions · caption · caption-en · caption-place · play-speed · story-stop
//   faults    faults-menu · fault-<switch> (how often still) · fault-<switch>-more/always/on/off · fault-preset-<n> · faults-waiting · faults-clear
//   adding    add-form · add-name · add-number · add-submit · add-known (a phone that exists but is not on the wall)
//   wall      wall · phone-<index> (data-openid, data-name, data-following)
//   a phone   phone-name · number · role · unread · sms-open · lock · transcript · phone-more · hide · account-menu · messages · newer · phone-time ·
//             banner · lockscreen · lock-note · follow
//   messages  item (data-n, data-kind, data-side) · bubble (same data) · gloss · notice · fault · stamp · card · card-open · news · image · voice ·
//             pin (a place) · menu-item (data-id) · tap-link · link
//   composer  input · send · more · voice-button · sticker-button · menu · menu-button (data-key) · submenu · submenu-button (data-key) ·
//             menu-toggle · keyboard-toggle · chips · chip · tools · photo-file · photo-sample · voice-sample · voice-file · location · scan ·
//             video-file · any-file
//             (a phone whose account has a menu opens with the menu shown, as WeChat does: keyboard-toggle brings `input`)
//   layers    sheet · sheet-cancel · sheet-voice-sample · sheet-voice-file · place-<n> · call · sheet-scan · sheet-open · sheet-picture ·
//             unfollow · sheet-follow · rename · set-<setting> · move-left · move-right · put-away · ask · ask-input · ask-submit ·
//             scanner · scan-input · scan-submit · scan-choice · scan-album · picture · file-input
//   frame     frame-layer · frame (the iframe) · frame-close · frame-back · frame-reload · frame-widen · frame-warning
//   SMS       sms · sms-list · sms-item (data-kind sms or call) · sms-words · sms-input · sms-send · sms-close
//   a call    call-screen · call-state · call-words · pick-up · hang-up · key-<digit>
//   drawer    panel · panel-close · log-all · log-push · log-call · log-gateway · log-bad · log-phone · log-words · log ·
//             log-entry (data-kind, data-openid, data-bad) · log-title      page: toast

import * as api from "./api.js";
import { adding } from "./adding.js";
import { Clock } from "./clock.js";
import { h, icon } from "./dom.js";
import { Faults } from "./faults.js";
import { Panel } from "./panel.js";
import { Player } from "./player.js";
import { Story } from "./story.js";
import { Wall } from "./wall.js";

const WAIT_S = 25;
const RETRY_MS = 1500;
const GLOSS_KEY = "tongban-gloss";

const story = new Story();
const clock = new Clock(() => refreshAll());
const wall = new Wall(document.getElementById("wall"), {
  now: () => clock.now(),
  lost: () => setLine(false),
  changed: () => story.show(wall.phones),
  said: (phone, text) => story.said(phone, text, wall.phones),
  glossOf: (item) => story.glossOf(item),
});
const faults = new Faults(() => clock.now());
const panel = new Panel(document.getElementById("panel"), wall);
const player = new Player(story, wall, clock);
const line = h("span", { class: "line", testid: "line", role: "status" });

function setLine(isUp) {
  line.hidden = isUp;
  line.textContent = isUp ? "" : "连不上替身平台，正在重试";
}

const barButton = (testid, shape, label, title, onclick, more = {}) =>
  h("button", { type: "button", class: "bar-button", testid, title, onclick, ...more }, shape ? icon(shape, 16) : null, label);

function buildBar() {
  panel.opener = barButton("log-open", "log", "日志", "The log of pushes and calls", () => panel.toggle(), { "aria-expanded": "false" });
  const lockAll = barButton("lock-all", "lock", "锁屏", "Lock every phone: what a bystander sees", () => wall.phones.forEach((phone) => phone.notifier.lockNow()));
  document.getElementById("bar").append(
    h("div", { class: "brand" }, h("b", {}, "手机墙"), h("span", { class: "mode", testid: "mode" })),
    clock.element,
    line,
    h(
      "div",
      { class: "bar-right" },
      player.opener,
      barButton("story-restart", "reload", "", "故事从第一句重新来 · Start the story again", () => story.restart(wall.phones), { "aria-label": "故事从第一句重新来" }),
      glossToggle(),
      adding(wall, made),
      lockAll,
      faults.element,
      panel.opener,
    ),
  );
  document.getElementById("bar").after(player.strip);
  document.addEventListener("pointerdown", closePopovers);
  clock.onTick = () => wall.tick();
}

/** English under the chips, the captions and the bot's better known words. */
function glossToggle() {
  const show = (on) => {
    document.body.classList.toggle("glossed", on);
    button.setAttribute("aria-pressed", String(on));
    localStorage.setItem(GLOSS_KEY, on ? "on" : "");
  };
  const button = barButton("gloss-toggle", "", "EN", "English gloss", () => show(!document.body.classList.contains("glossed")));
  show(localStorage.getItem(GLOSS_KEY) === "on");
  return button;
}

async function made(openid) {
  takeState(await api.state());
  await wall.mount(wall.known.find((phone) => phone.openid === openid));
}

/** A click beside an open menu of the bar closes it. */
function closePopovers({ target }) {
  for (const popover of document.querySelectorAll(".popover:not([hidden])")) {
    if (popover.parentElement.contains(target)) continue;
    popover.hidden = true;
    popover.parentElement.querySelector("[aria-expanded]").setAttribute("aria-expanded", "false");
  }
}

function takeState(answer) {
  clock.set(answer.clock);
  wall.take(answer);
  const mode = document.querySelector(".mode");
  mode.textContent = { plain: "明文", compatible: "兼容", safe: "安全" }[answer.account?.mode] ?? answer.account?.mode ?? "";
  mode.title = `推送方式 ${answer.account?.mode ?? ""} · ${answer.account?.kind ?? ""} · ${answer.account?.app_id ?? ""}`;
}

async function refreshAll() {
  takeState(await api.state());
  await Promise.all([wall.refresh(), panel.refresh(), faults.refresh()]);
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
  await wall.open();
  document.body.dataset.ready = "true";
  await follow();
}

await start();
