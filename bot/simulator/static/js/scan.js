// The camera of a phone: it sees the codes on the other phones' screens, reads pictures, or takes what is typed.

import { attempt, h, iconButton, pickFile, toast } from "./dom.js";
import { readPicture } from "./qr.js";
import { layer } from "./sheets.js";

const LOOKED_AT = 8;
const TICKET_IN_ADDRESS = /[?&]ticket=([^&\s"'<>]+)/;
const SHORT_ADDRESS = /https?:\/\/weixin\.qq\.com\/q\/[\w-]+/;

/** What the platform makes of a code: {ticket}, {url} (what its picture says), else {scene}. */
export function readCode(text) {
  const ticket = TICKET_IN_ADDRESS.exec(text);
  if (ticket) return { ticket: decodeURIComponent(ticket[1]) };
  const short = SHORT_ADDRESS.exec(text);
  if (short) return { url: short[0] };
  return /^gQ[\w+/=-]{20,}$/.test(text) ? { ticket: text } : { scene: text.replace(/^qrscene_/, "") };
}

const isCode = (text) => TICKET_IN_ADDRESS.test(text) || SHORT_ADDRESS.test(text);

const CODE_ADDRESS = /https?:\/\/[^\s"'<>]*[?&]ticket=[^&\s"'<>]+|https?:\/\/weixin\.qq\.com\/q\/[\w-]+/;

/** The address of a code that one screen item holds as a link, or undefined. */
export function codeIn(item) {
  const text = [item.text, item.url, ...(item.fields ?? []).map((field) => field.value)].filter(Boolean).join("\n");
  return CODE_ADDRESS.exec(text)?.[0];
}

/** Where WeChat goes with what a camera read: the platform for its own codes, the browser for an address. */
export function follow(phone, text) {
  if (isCode(text) || /^gQ|^qrscene_/.test(text)) return phone.act(phone.api.scan(readCode(text)));
  if (/^https?:\/\//i.test(text)) return phone.open(text, "");
  return phone.act(phone.api.scan(readCode(text)));
}

/** The scanner; `scanned` gets the text that was read. */
export function openScan(phone, scanned = (text) => follow(phone, text)) {
  const field = h("input", { testid: "scan-input", placeholder: "ticket、场景值或二维码里的网址", "aria-label": "二维码内容", autocomplete: "off" });
  const use = (text) => {
    close();
    scanned(text);
  };
  const submit = (event) => {
    event.preventDefault();
    if (field.value.trim()) use(field.value.trim());
  };
  const album = async () => {
    const file = await pickFile("image/*");
    if (!file) return;
    const address = URL.createObjectURL(file);
    const text = await readPicture(address);
    URL.revokeObjectURL(address);
    if (text === undefined) toast("这张图里没有认出二维码。");
    else use(text);
  };
  const hint = h("p", { class: "scan-hint", role: "status" }, "正在看别的手机的屏幕…");
  const list = h("div", { class: "scan-list" }, hint);
  const close = layer(phone, "scan-layer", () =>
    h(
      "div",
      { class: "scanner", role: "dialog", "aria-label": "扫一扫", testid: "scanner" },
      h("header", {}, iconButton("close", "关闭扫一扫", () => close(), { size: 20 }), h("span", {}, "扫一扫"), iconButton("photo", "从相册选一张", album, { testid: "scan-album", size: 20 })),
      h("div", { class: "finder", "aria-hidden": "true" }),
      list,
      h("form", { onsubmit: submit }, field, h("button", { type: "submit", class: "plain-button", testid: "scan-submit" }, "扫")),
    ),
  );
  attempt(() => look(phone, list, hint, use));
}

/** Show every code that is on another phone's screen, as it is found. */
async function look(phone, list, hint, use) {
  const seen = new Set();
  const add = (other, text, picture) => {
    const key = `${other.openid} ${text}`;
    if (seen.has(key)) return;
    seen.add(key);
    list.append(
      h(
        "button",
        { type: "button", class: "scan-choice", testid: "scan-choice", onclick: () => use(text) },
        picture ? h("img", { src: picture, alt: "" }) : null,
        h("span", {}, h("b", {}, `${other.name}的屏幕`), h("span", { class: "scan-text" }, text)),
      ),
    );
  };
  for (const other of phone.wall.phones) {
    if (other === phone) continue;
    for (const picture of picturesOn(other)) {
      const text = await readPicture(picture);
      if (text !== undefined) add(other, text, picture);
    }
    for (const text of other.codes) add(other, text);
  }
  hint.textContent = seen.size ? "点一下就是对准它：" : "别的手机上现在没有二维码。";
}

/** Addresses of the pictures on a phone: the page or picture that is open on top first, then the newest of the chat. */
function picturesOn(other) {
  const onTop = [...other.screen.querySelectorAll(".layer img, iframe[src]")].map((one) => one.src);
  const inChat = [...other.list.querySelectorAll("img")].map((one) => one.src).reverse().slice(0, LOOKED_AT);
  return [...onTop, ...inChat].filter((address) => new URL(address).origin === location.origin || address.startsWith("blob:"));
}
