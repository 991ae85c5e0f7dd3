// "Another phone": a new user with a name and a telephone number, or one who is there but not on the table.

import * as api from "./api.js";
import { attempt, h, icon, toast } from "./dom.js";

const OFFERED = 40;
const NUMBER = /^1\d{10}$/;

/** The button and its form; `made(openid)` is called once the new user exists. */
export function adding(wall, made) {
  const name = h("input", { testid: "add-name", placeholder: "名字，例如：路人 小陈", "aria-label": "新手机的名字", maxlength: 20, required: true });
  const number = h("input", { testid: "add-number", placeholder: "电话号码，可不填", "aria-label": "新手机的电话号码", inputmode: "tel", maxlength: 11 });
  const known = h("div", { class: "known" });
  const submit = async (event) => {
    event.preventDefault();
    const digits = number.value.replace(/\D/g, "");
    if (digits && !NUMBER.test(digits)) return toast("手机号码是 1 开头的 11 位数字。");
    const answer = await attempt(() => api.addPhone(name.value.trim(), digits));
    if (!answer) return undefined;
    name.value = number.value = "";
    toggle(true);
    return made(answer.openid);
  };
  const form = h(
    "form",
    { class: "popover", testid: "add-form", hidden: true, onsubmit: submit, onkeydown: (event) => event.key === "Escape" && toggle(true) },
    h("div", { class: "add-row" }, name, number, h("button", { type: "submit", class: "plain-button", testid: "add-submit" }, "加一台")),
    known,
  );
  const opener = h("button", { type: "button", class: "bar-button", testid: "add-phone", title: "Add a phone", "aria-expanded": "false", onclick: () => toggle(!form.hidden) }, icon("add", 17), "加手机");
  const toggle = (hidden) => {
    form.hidden = hidden;
    opener.setAttribute("aria-expanded", String(!hidden));
    if (hidden) return;
    const shown = new Set(wall.phones.map((phone) => phone.openid));
    const away = wall.known.filter((phone) => !shown.has(phone.openid)).sort((a, b) => Boolean(b.name) - Boolean(a.name)).slice(0, OFFERED);
    known.replaceChildren(...away.map((phone) => h("button", { type: "button", testid: "add-known", onclick: () => { toggle(true); wall.mount(phone); } }, phone.name || `微信用户 ${phone.index}`)));
    name.focus();
  };
  return h("div", { class: "anchor right" }, opener, form);
}
