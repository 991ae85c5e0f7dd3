// What slides up inside one phone: action sheets, a question, a picture at full size.

import { h } from "./dom.js";

/** An action sheet: entries are {label, work, testid, danger?} or false; Escape or the grey ground closes it. */
export function openSheet(phone, title, entries) {
  const close = layer(phone, "sheet-layer", () =>
    h(
      "div",
      { class: "sheet", role: "dialog", "aria-label": title, testid: "sheet" },
      h("div", { class: "sheet-title" }, title),
      entries.filter(Boolean).map((entry) =>
        h("button", { type: "button", class: entry.danger ? "danger" : "", testid: entry.testid, onclick: () => { close(); entry.work(); } }, entry.label),
      ),
      h("button", { type: "button", class: "cancel", testid: "sheet-cancel", onclick: () => close() }, "取消"),
    ),
  );
}

/** Ask for one line of text; `answered` gets it, without the spaces around it, unless it is empty. */
export function openAsk(phone, title, { value = "", placeholder = "", most = 500, answered }) {
  const field = h("input", { testid: "ask-input", value, placeholder, maxlength: most, "aria-label": title, autocomplete: "off" });
  const submit = (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return field.focus();
    close();
    return answered(text);
  };
  const close = layer(phone, "sheet-layer", () =>
    h(
      "form",
      { class: "sheet ask", role: "dialog", "aria-label": title, testid: "ask", onsubmit: submit },
      h("div", { class: "sheet-title" }, title),
      field,
      h("button", { type: "submit", class: "go", testid: "ask-submit" }, "确定"),
      h("button", { type: "button", class: "cancel", testid: "sheet-cancel", onclick: () => close() }, "取消"),
    ),
  );
}

/** A picture over the whole phone; a tap or Escape closes it. Other phones' cameras see it as well. */
export function openPicture(phone, src) {
  const close = layer(phone, "picture-layer", () =>
    h("button", { type: "button", class: "big-picture", testid: "picture", "aria-label": "关闭大图", onclick: () => close() }, h("img", { src, alt: "大图" })),
  );
}

/** Put a layer over the phone's screen and return what closes it; the focus goes back to where it was. */
export function layer(phone, name, make) {
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
    const first = ground.querySelector("input") ?? ground.querySelector("button");
    first?.focus({ preventScroll: true });
    if (first instanceof HTMLInputElement) first.select();
  });
  return close;
}
