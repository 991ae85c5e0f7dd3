// What slides up inside one phone: action sheets, the scanner, a picture at full size.

import { h, iconButton } from "./dom.js";

/** An action sheet: entries are {label, work, testid, danger?}; Escape or the grey ground closes it. */
export function openSheet(phone, title, entries) {
  const close = layer(phone, "sheet-layer", () =>
    h(
      "div",
      { class: "sheet", role: "dialog", "aria-label": title, testid: "sheet" },
      h("div", { class: "sheet-title" }, title),
      entries.map((entry) =>
        h("button", { type: "button", class: entry.danger ? "danger" : "", testid: entry.testid, onclick: () => { close(); entry.work(); } }, entry.label),
      ),
      h("button", { type: "button", class: "cancel", testid: "sheet-cancel", onclick: () => close() }, "取消"),
    ),
  );
}

/** The scanner: codes seen on the other phones, or a scene, ticket or address typed in; `scanned` gets {code, text}. */
export function openScan(phone, scanned = ({ code }) => phone.act(phone.api.scan(code))) {
  const field = h("input", { testid: "scan-input", placeholder: "场景值、ticket 或二维码里的网址", "aria-label": "二维码内容", autocomplete: "off" });
  const use = (code, text) => {
    close();
    scanned({ code, text });
  };
  const submit = (event) => {
    event.preventDefault();
    if (field.value.trim()) use(readCode(field.value.trim()), field.value.trim());
  };
  const found = phone.codesOnOtherPhones();
  const close = layer(phone, "scan-layer", () =>
    h(
      "div",
      { class: "scanner", role: "dialog", "aria-label": "扫一扫", testid: "scanner" },
      h("header", {}, iconButton("close", "关闭扫一扫", () => close(), { size: 20 }), "扫一扫"),
      h("div", { class: "finder", "aria-hidden": "true" }),
      h("div", { class: "scan-list" }, found.length ? "别的手机上看得到的码：" : "别的手机上现在没有二维码。", found.map((code) =>
        h("button", { type: "button", class: "scan-choice", testid: "scan-choice", onclick: () => use(code.value, Object.values(code.value)[0]) }, h("b", {}, code.from), code.label),
      )),
      h("form", { onsubmit: submit }, field, h("button", { type: "submit", class: "plain-button", testid: "scan-submit" }, "扫")),
    ),
  );
}

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

/** The code shown by one screen item, or undefined: {value, label}. */
export function codeIn(item) {
  const text = [item.text, item.url, ...(item.fields ?? []).map((field) => field.value)].filter(Boolean).join("\n");
  if (!TICKET_IN_ADDRESS.test(text) && !SHORT_ADDRESS.test(text)) return undefined;
  const value = readCode(text);
  return { value, label: `二维码 …${Object.values(value)[0].slice(-10)}` };
}

/** A picture over the whole phone; a tap or Escape closes it. */
export function openPicture(phone, src) {
  const close = layer(phone, "picture-layer", () =>
    h("button", { type: "button", class: "big-picture", testid: "picture", "aria-label": "关闭大图", onclick: () => close() }, h("img", { src, alt: "大图" })),
  );
}

/** Put a layer over the phone's screen and return what closes it; the keyboard stays inside while it is open. */
function layer(phone, name, make) {
  const before = document.activeElement;
  const ground = h("div", {
    class: `layer ${name}`,
    onclick: (event) => event.target === ground && close(),
    onkeydown: (event) => event.key === "Escape" && close(),
  });
  const close = () => {
    ground.remove();
    before?.focus?.({ preventScroll: true });
  };
  queueMicrotask(() => {
    ground.append(make());
    phone.screen.append(ground);
    (ground.querySelector("input") ?? ground.querySelector("button"))?.focus({ preventScroll: true });
  });
  return close;
}
