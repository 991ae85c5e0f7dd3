// The line above a phone: whose it is, the number, the roles that the account gave by tags, and what one can do with it.

import { h, iconButton } from "./dom.js";
import { openAsk, openSheet } from "./sheets.js";

/** Tags that this account gives to people with a role; any other tag is shown as it is. */
const ROLES = {
  mandated_reporter: "强制报告", citizen: "群众", village_child_officer: "儿童主任", township_child_supervisor: "乡镇督导",
  county_supervisor: "县督导", agency_liaison: "联络员", auditor: "审计", care_partner: "关爱伙伴",
};

/** What the person can do to be hard to reach: setting, how to switch it on, how off, whether it needs a number. */
const SWITCHES = [
  ["unreachable_number", "让号码停机（短信电话都不通）", "号码恢复", true],
  ["block_templates", "拒收模板消息", "重新接收模板消息", false],
  ["refuse_messages", "拒收公众号消息", "重新接收公众号消息", false],
];

export class Owner {
  constructor(phone) {
    this.phone = phone;
    this.name = h("button", { type: "button", class: "owner-name", testid: "phone-name", onclick: () => this.rename() });
    this.role = h("span", { class: "role", testid: "role", hidden: true });
    this.number = h("span", { class: "owner-number", testid: "number" });
    this.element = h(
      "div",
      { class: "owner", draggable: "true", ondragstart: (event) => this.picked(event) },
      h("div", { class: "owner-who" }, h("div", { class: "owner-line" }, this.name, phone.notifier.dot), h("div", { class: "owner-line" }, this.number, this.role)),
      phone.texts.opener,
      iconButton("lock", "锁屏 · Lock", () => phone.notifier.lockNow(), { testid: "lock", size: 16 }),
      iconButton("download", "下载聊天记录 · Transcript", () => phone.download(), { testid: "transcript", size: 16 }),
      iconButton("more", "这台手机 · This phone", () => this.sheet(), { testid: "phone-more", size: 16 }),
      iconButton("close", "收起这台手机 · Put away", () => phone.wall.hide(phone), { testid: "hide", size: 15 }),
    );
  }

  take(data) {
    const { phone } = this;
    const { openid, number, tags } = data;
    this.data = data;
    this.name.textContent = phone.name;
    this.name.title = `${phone.name}（${openid}）：点一下改名 · Rename`;
    this.number.textContent = number ? `${number}${data.unreachable_number ? " 停机" : ""}` : "没有号码";
    const roles = (tags ?? []).map((tag) => ROLES[tag] ?? tag).filter((role) => role !== phone.name);
    this.role.hidden = roles.length === 0;
    this.role.textContent = roles.at(-1) ?? "";
  }

  sheet() {
    const { phone } = this;
    const { wall } = phone;
    const place = wall.phones.indexOf(phone);
    openSheet(phone, phone.name, [
      { label: "改名", testid: "rename", work: () => this.rename() },
      ...SWITCHES.filter(([, , , needsNumber]) => !needsNumber || this.data.number).map(([name, on, off]) => {
        const isOn = this.data[name];
        return { label: isOn ? off : on, testid: `set-${name}`, work: () => phone.act(phone.api.set({ [name]: !isOn })) };
      }),
      place > 0 && { label: "往左移", testid: "move-left", work: () => wall.move(phone, place - 1) },
      place < wall.phones.length - 1 && { label: "往右移", testid: "move-right", work: () => wall.move(phone, place + 1) },
      { label: "收起（还在，可以再放回来）", testid: "put-away", work: () => wall.hide(phone) },
    ]);
  }

  rename() {
    const { phone } = this;
    openAsk(phone, "这台手机叫什么", { value: phone.name, most: 20, answered: (name) => phone.act(phone.api.set({ name })) });
  }

  picked(event) {
    event.dataTransfer.setData("text/plain", this.phone.openid);
    event.dataTransfer.effectAllowed = "move";
  }
}
