// The bottom of a phone: the account's menu or the keyboard row, the drawer of things to send, the story chips.

import { attempt, h, icon, iconButton, pickFile } from "./dom.js";
import { CAPTION, PLACES, murmur, picture } from "./samples.js";
import { openScan } from "./scan.js";
import { openSheet } from "./sheets.js";

const VOICE_FORMATS = { amr: "amr", speex: "speex", spx: "speex", mp3: "mp3", wav: "wav", m4a: "m4a", ogg: "ogg" };

/** The buttons of a menu answer, whichever of the platform's wrappings it came in. */
export function buttonsOf(menu) {
  const inner = menu?.menu ?? menu?.selfmenu_info ?? menu ?? {};
  return inner.button ?? inner.buttons ?? [];
}

async function base64Of(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters);
}

export class Composer {
  constructor(phone) {
    this.phone = phone;
    this.buttons = [];
    this.input = h("textarea", {
      testid: "input", rows: 1, "aria-label": `${phone.name}：输入消息`, enterkeyhint: "send",
      oninput: () => this.grow(), onkeydown: (event) => this.onKey(event),
    });
    this.sendButton = h("button", { type: "button", class: "send", testid: "send", hidden: true, onclick: () => this.send() }, "发送");
    this.plus = iconButton("plus", "更多", () => this.toggleTools(), { testid: "more", "aria-expanded": "false", size: 26 });
    this.toMenu = iconButton("lines", "切换到菜单", () => this.setMode("menu"), { testid: "menu-toggle", class: "edge", size: 20 });
    this.toKeyboard = iconButton("keyboard", "切换到键盘", () => this.setMode("keyboard", true), { testid: "keyboard-toggle", class: "edge", size: 22 });
    this.menuRow = h("div", { class: "menu-row", testid: "menu" });
    this.keyRow = h(
      "div",
      { class: "key-row" },
      this.toMenu,
      iconButton("voice", "发语音", () => this.voiceSheet(), { testid: "voice-button", size: 26 }),
      this.input,
      iconButton("smile", "发表情", () => phone.act(phone.api.sticker()), { testid: "sticker-button", size: 26 }),
      this.plus,
      this.sendButton,
    );
    this.tools = h("div", { class: "tools", testid: "tools", hidden: true }, this.toolButtons());
    this.chips = h("div", { class: "chips", testid: "chips", hidden: true });
    this.followButton = h("button", { type: "button", class: "follow", testid: "follow", onclick: () => phone.act(phone.api.follow()) }, "关注公众号");
    this.element = h("footer", { class: "composer" }, this.chips, this.menuRow, this.keyRow, this.tools, this.followButton);
    this.setMode("keyboard");
  }

  /** The account offers these buttons now; the first time a menu is seen it is shown, as WeChat does. */
  setMenu(menu, isFirst) {
    this.buttons = buttonsOf(menu);
    this.menuRow.replaceChildren(this.toKeyboard, ...this.buttons.map((button) => this.menuButton(button)));
    this.toMenu.hidden = this.buttons.length === 0;
    if (this.buttons.length === 0) this.setMode("keyboard");
    else if (isFirst) this.setMode("menu");
  }

  setMode(mode, focus = false) {
    this.element.dataset.mode = mode;
    this.menuRow.hidden = mode !== "menu";
    this.keyRow.hidden = mode === "menu";
    if (mode === "menu") this.closeTools();
    if (focus) this.input.focus();
  }

  setFollowing(following) {
    this.element.classList.toggle("stranger", !following);
  }

  menuButton(button) {
    const children = button.sub_button?.list ?? button.sub_button ?? [];
    if (children.length === 0) {
      return h("button", { type: "button", class: "menu-button", testid: "menu-button", "data-key": button.key, onclick: () => this.choose(button) }, button.name);
    }
    const opener = h("button", { type: "button", class: "menu-button", testid: "menu-button", "aria-haspopup": "menu", "aria-expanded": "false" }, icon("lines", 11), button.name);
    const list = h(
      "div",
      { class: "submenu", testid: "submenu", role: "menu", hidden: true },
      children.map((child) =>
        h("button", { type: "button", role: "menuitem", testid: "submenu-button", "data-key": child.key, onclick: () => { close(); this.choose(child); } }, child.name),
      ),
    );
    const close = () => this.toggleSubmenu(opener, list, true);
    opener.addEventListener("click", () => this.toggleSubmenu(opener, list, !list.hidden));
    return h("div", { class: "menu-slot", onkeydown: (event) => event.key === "Escape" && close(), onfocusout: (event) => { if (!event.currentTarget.contains(event.relatedTarget)) close(); } }, opener, list);
  }

  toggleSubmenu(opener, list, hidden) {
    list.hidden = hidden;
    opener.setAttribute("aria-expanded", String(!hidden));
  }

  choose(button) {
    const { phone } = this;
    const tap = (more) => phone.act(phone.api.tapMenu(button.key ?? button.url ?? button.name, more));
    const album = async () => {
      const file = await pickFile("image/*");
      if (file) await tap({ base64: await base64Of(file) });
    };
    const kinds = {
      view: () => { tap(); phone.open(button.url, button.name); },
      scancode_push: () => openScan(phone, (text) => tap({ scan_result: text })),
      scancode_waitmsg: () => openScan(phone, (text) => tap({ scan_result: text })),
      pic_sysphoto: async () => tap({ base64: await base64Of(await picture(CAPTION)) }),
      pic_photo_or_album: () => album(),
      pic_weixin: () => album(),
      location_select: () => this.placeSheet(({ lat, lng, label }) => tap({ lat, lng, label })),
    };
    return (kinds[button.type] ?? (() => tap()))();
  }

  onKey(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.send();
  }

  grow() {
    const empty = this.input.value.trim() === "";
    this.sendButton.hidden = empty;
    this.plus.hidden = !empty;
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 96)}px`;
  }

  async send() {
    const text = this.input.value;
    if (text.trim() === "") return;
    this.input.value = "";
    this.grow();
    if ((await this.phone.act(this.phone.api.say(text))) === undefined && this.input.value === "") {
      this.input.value = text;
      this.grow();
    }
  }

  toggleTools() {
    this.tools.hidden = !this.tools.hidden;
    this.plus.setAttribute("aria-expanded", String(!this.tools.hidden));
    this.phone.toBottom();
  }

  closeTools() {
    this.tools.hidden = true;
    this.plus.setAttribute("aria-expanded", "false");
  }

  toolButtons() {
    const { phone } = this;
    const entries = [
      ["photo", "相册", "photo-file", () => this.fromFile("image/*", "image")],
      ["camera", "拍一张", "photo-sample", () => this.samplePicture()],
      ["mic", "说一句", "voice-sample", () => phone.act(phone.api.voice(murmur(), "voice.wav", "wav"))],
      ["voice", "语音文件", "voice-file", () => this.fromFile("audio/*,.amr,.speex", "voice")],
      ["pin", "位置", "location", () => this.placeSheet()],
      ["scan", "扫一扫", "scan", () => openScan(phone)],
      ["video", "视频", "video-file", () => this.fromFile("video/*", "video")],
      ["file", "文件", "any-file", () => this.fromFile("", "file")],
    ];
    return entries.map(([shape, label, testid, work]) =>
      h("button", { type: "button", class: "tool", testid, onclick: () => { this.closeTools(); work(); } }, h("span", { class: "tile" }, icon(shape, 26)), label),
    );
  }

  async samplePicture() {
    const { phone } = this;
    await attempt(async () => phone.act(phone.api.image(await picture(CAPTION), "photo.jpg")));
  }

  async fromFile(accept, kind) {
    const file = await pickFile(accept);
    if (!file) return;
    const { phone } = this;
    const format = VOICE_FORMATS[file.name.split(".").pop().toLowerCase()] ?? "amr";
    const sending = {
      image: () => phone.api.image(file, file.name),
      voice: () => phone.api.voice(file, file.name, format),
      video: () => phone.api.video(file, file.name),
      file: () => phone.api.file(file.name, file.size),
    };
    await phone.act(sending[kind]());
  }

  voiceSheet() {
    const { phone } = this;
    openSheet(phone, "发语音", [
      { label: "说一句（现成的三秒声音）", testid: "sheet-voice-sample", work: () => phone.act(phone.api.voice(murmur(), "voice.wav", "wav")) },
      { label: "从文件选", testid: "sheet-voice-file", work: () => this.fromFile("audio/*,.amr,.speex", "voice") },
    ]);
  }

  placeSheet(chosen = (place) => this.phone.act(this.phone.api.location(place))) {
    openSheet(this.phone, "发送位置", PLACES.map((place, index) => ({ label: place.label, testid: `place-${index}`, work: () => chosen(place) })));
  }

  /** The story's next sentences for this phone: [{label, en, isNext, work}]. */
  setChips(entries) {
    this.chips.hidden = entries.length === 0;
    this.chips.replaceChildren(
      ...entries.map(({ label, en, isNext, work }) =>
        h("button", { type: "button", class: isNext ? "chip next" : "chip", testid: "chip", title: [label, en].filter(Boolean).join("\n"), onclick: work }, label, en ? h("span", { class: "gloss", lang: "en" }, en) : null),
      ),
    );
    this.phone.keepBottom();
  }
}
