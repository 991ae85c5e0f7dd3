// One item of a screen, drawn as WeChat draws it. What a tap does is the caller's business: see `act` in draw().

import { h, icon } from "./dom.js";
import { mediaUrl } from "./api.js";

const LINK = /<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>([\s\S]*?)<\/a>|https?:\/\/[\w\-.~:/?#[\]@!$&'()*+,;=%]+/gi;
const MENU_LINK = "weixin://bizmsgmenu";

/** Text with its links; any other tag stays visible text, as in WeChat. */
export function richText(text, act) {
  const pieces = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    pieces.push(text.slice(end, found.index));
    const href = (found[1] ?? found[2] ?? found[0]).replaceAll("&amp;", "&");
    pieces.push(link(href, found[3] ?? found[0], act));
    end = found.index + found[0].length;
  }
  pieces.push(text.slice(end));
  return pieces.filter((piece) => piece !== "");
}

function link(href, label, act) {
  const isTap = href.startsWith(MENU_LINK);
  const isCall = href.startsWith("tel:");
  if (!isTap && !isCall && !/^https?:/i.test(href)) return label;
  const go = () => {
    if (isCall) return act.call(href.slice(4));
    if (!isTap) return act.open(href, "");
    const query = new URLSearchParams(href.slice(href.indexOf("?") + 1));
    return act.tap(query.get("msgmenuid") ?? "", query.get("msgmenucontent") ?? label);
  };
  return h("button", { type: "button", class: "text-link", testid: isTap ? "tap-link" : "link", onclick: go }, label);
}

const PLAIN = {
  text: (item, act) => h("div", { class: "balloon text" }, richText(item.text ?? "", act)),
  image: (item, act) => picture(item, act),
  voice: (item) => voice(item),
  video: (item) => h("div", { class: "balloon media" }, h("video", { src: source(item), controls: true, preload: "metadata" })),
  location: (item) => place(item),
  sticker: () => h("div", { class: "sticker", role: "img", "aria-label": "表情" }, face()),
  file: (item) => h("div", { class: "balloon file" }, h("span", {}, item.title || item.text || "文件"), icon("file", 34)),
  menu: (item, act) => tapMenu(item, act),
};

const WIDE = {
  card: (item, act) => card(item, act),
  news: (item, act) => news(item, act),
};

/**
 * Draw one screen item. `act` holds what taps do: open(url, title), tap(id, content), view(src), call(number);
 * `names`: {me, account} are for the pictures beside the bubbles, `gloss` is what the words mean in English.
 */
export function draw(item, act) {
  if (item.side === "notice" || item.kind === "event" || item.kind === "fault") return notice(item, act);
  const attributes = { "data-n": item.n, "data-kind": item.kind, "data-side": item.side };
  if (WIDE[item.kind]) {
    return h("div", { class: "row wide", testid: "item", ...attributes }, WIDE[item.kind](item, act), gloss(act));
  }
  const body = (PLAIN[item.kind] ?? PLAIN.text)(item, act);
  return h(
    "div",
    { class: `row ${item.side}`, testid: "item", ...attributes },
    avatar(item.side, act.names),
    h("div", { class: "body", testid: "bubble", ...attributes }, body, gloss(act)),
  );
}

/** What the words mean in English, for guests; shown only while that is switched on. */
const gloss = (act) => (act.gloss ? h("div", { class: "gloss bubble-gloss", testid: "gloss", lang: "en" }, act.gloss) : null);

function notice(item, act) {
  const isFault = item.kind === "fault";
  return h(
    "div",
    { class: "row notice", testid: isFault ? "fault" : "notice", "data-n": item.n, "data-kind": item.kind },
    h("span", { class: isFault ? "fault" : "" }, richText(item.text ?? "", act)),
  );
}

export function avatar(side, names) {
  if (side !== "me") return h("div", { class: "avatar account", "aria-hidden": "true" }, sprout());
  const hue = [...names.me].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % 360;
  const family = [...familyName(names.me)][0] ?? "友";
  return h("div", { class: "avatar", style: `background:hsl(${hue} 38% 52%)`, "aria-hidden": "true" }, family);
}

/** The first letter beside a bubble: of the name, not of the post before or after it ("班主任 · 周敏（教师）" → 周). */
const familyName = (name) => name.replace(/[(（].*$/, "").trim().split(/[·\s]+/).pop();

const source = (item) => (item.media_id ? mediaUrl(item.media_id) : item.url);

function picture(item, act) {
  const src = source(item);
  const image = h("img", { src, alt: item.text || "图片", testid: "image" });
  return h("button", { type: "button", class: "picture", "aria-label": "看大图", onclick: () => act.view(src) }, image);
}

/** Only one voice plays at a time on the whole page. */
let playing;

function voice(item) {
  const sound = new Audio();
  sound.preload = "metadata";
  sound.src = source(item);
  const length = h("span", { class: "seconds" }, "");
  const bubble = h("button", { type: "button", class: "balloon voice", testid: "voice", "aria-label": "播放语音" }, icon("voice", 20), length);
  sound.addEventListener("loadedmetadata", () => {
    const seconds = Math.max(1, Math.round(sound.duration));
    length.textContent = `${seconds}″`;
    bubble.style.width = `${Math.min(70 + seconds * 6, 170)}px`;
  });
  sound.addEventListener("error", () => {
    length.textContent = "浏览器放不了这种格式";
  });
  const show = () => bubble.classList.toggle("playing", !sound.paused);
  for (const name of ["play", "pause", "ended"]) sound.addEventListener(name, show);
  bubble.addEventListener("click", () => {
    if (!sound.paused) return sound.pause();
    playing?.pause();
    playing = sound;
    sound.currentTime = 0;
    return sound.play().catch(() => {
      length.textContent = "浏览器放不了这种格式";
    });
  });
  return bubble;
}

function place(item) {
  const map = h("div", { class: "map", "aria-hidden": "true" });
  map.innerHTML =
    '<svg viewBox="0 0 200 84" preserveAspectRatio="xMidYMid slice"><rect width="200" height="84" fill="#eef0e6"/>' +
    '<path d="M0 60 C50 40 90 78 200 50" stroke="#bcd9ee" stroke-width="12" fill="none"/>' +
    '<path d="M-5 20 120 34 205 12M70-5 92 90M150-5 128 90" stroke="#fff" stroke-width="6" fill="none"/>' +
    '<path d="M-5 20 120 34 205 12" stroke="#f4d58a" stroke-width="3" fill="none"/><rect x="18" y="36" width="34" height="16" fill="#dfe8cf"/>' +
    '<path d="M100 58c-8-9-12-15-12-21a12 12 0 0 1 24 0c0 6-4 12-12 21z" fill="#07c160"/><circle cx="100" cy="37" r="5" fill="#fff"/></svg>';
  return h("div", { class: "location", testid: "pin" }, h("div", { class: "where" }, item.text || "位置"), map);
}

function tapMenu(item, act) {
  const lines = (item.items ?? []).map((entry) =>
    h(
      "li",
      {},
      h("button", { type: "button", class: "text-link", testid: "menu-item", "data-id": entry.id, onclick: () => act.tap(entry.id, entry.content) }, entry.content),
    ),
  );
  const head = item.text ? h("div", {}, richText(item.text, act)) : null;
  const tail = item.title ? h("div", {}, richText(item.title, act)) : null;
  return h("div", { class: "balloon text" }, head, h("ul", { class: "choices" }, lines), tail);
}

function card(item, act) {
  const rows = (item.fields ?? []).map((field) =>
    h("div", { class: "field" }, h("dt", {}, field.label || field.key), h("dd", {}, String(field.value ?? ""))),
  );
  return h(
    "div",
    { class: "card", testid: "card" },
    h("div", { class: "card-head" }, h("span", { class: "dot" }, sprout()), act.names.account),
    h("div", { class: "card-title" }, item.title || item.text),
    h("dl", {}, rows),
    item.url
      ? h("button", { type: "button", class: "card-link", testid: "card-open", onclick: () => act.open(item.url, item.title) }, "详情", icon("next", 15))
      : null,
  );
}

function news(item, act) {
  const open = () => act.open(item.url, item.title);
  return h(
    "button",
    { type: "button", class: "card news", testid: "news", onclick: open },
    item.media_id || item.picture ? h("img", { src: item.media_id ? mediaUrl(item.media_id) : item.picture, alt: "" }) : null,
    h("div", { class: "card-title" }, item.title),
    h("div", { class: "news-text" }, item.text),
  );
}

function sprout() {
  const holder = h("span", { class: "sprout" });
  holder.innerHTML =
    '<svg viewBox="0 0 32 32"><path d="M16 27v-9" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/>' +
    '<path d="M16 18C8 18 6 13 6 8c7 0 10 4 10 10zM16 15c0-6 4-9 10-9 0 6-3 10-10 9z" fill="#fff"/></svg>';
  return holder;
}

function face() {
  const holder = h("span");
  holder.innerHTML =
    '<svg viewBox="0 0 100 100" width="92" height="92"><circle cx="50" cy="50" r="44" fill="#ffd75e" stroke="#e5a93a" stroke-width="2"/>' +
    '<ellipse cx="35" cy="42" rx="5" ry="8" fill="#5b3a12"/><ellipse cx="65" cy="42" rx="5" ry="8" fill="#5b3a12"/>' +
    '<path d="M36 70c8-9 20-9 28 0" stroke="#5b3a12" stroke-width="4" fill="none" stroke-linecap="round"/>' +
    '<path d="M70 52c5 8 6 12 2 15-4 2-8-2-6-7z" fill="#6db9ff"/></svg>';
  return holder;
}
