// "Play": the whole story by itself, with captions. Every step is done on the phones as a hand would do it, and the
// story goes on only when the bot has really answered; where it does not, it says so and stops.

import { h, icon } from "./dom.js";
import { nextAt, secondsUntil } from "./dates.js";
import { isFor, wordsOf } from "./story.js";

const PATIENCE_MS = 45000;
const RINGS_WITHIN_MS = 6000;
const LOOK_EVERY_MS = 150;
const LETTER_MS = 28;
const READING_MS = 1800;
const READING_LETTER_MS = 75;
const SPEEDS = [1, 4, 16];

class Stopped extends Error {}

export class Player {
  constructor(story, wall, clock) {
    Object.assign(this, { story, wall, clock, speed: SPEEDS[0] });
    this.opener = h("button", { type: "button", class: "bar-button play", testid: "story-play", title: "Play the story", onclick: () => (this.running ? this.stop() : this.play()) });
    this.caption = h("p", { class: "caption-words", testid: "caption" });
    this.english = h("p", { class: "gloss", testid: "caption-en", lang: "en" });
    this.place = h("span", { class: "caption-place", testid: "caption-place" });
    const faster = h("button", { type: "button", class: "step", testid: "play-speed", title: "Speed", onclick: () => { this.speed = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length]; faster.textContent = `${this.speed}×`; } }, "1×");
    this.strip = h(
      "section",
      { class: "captions", testid: "captions", "aria-label": "故事字幕", role: "status", hidden: true },
      this.place,
      h("div", { class: "caption-text" }, this.caption, this.english),
      faster,
      h("button", { type: "button", class: "step", testid: "story-stop", title: "Stop", onclick: () => this.stop() }, icon("stop", 14), "停"),
    );
    this.draw();
  }

  draw() {
    this.opener.replaceChildren(icon(this.running ? "stop" : "play", 15), this.running ? "停下" : "放故事");
    this.opener.setAttribute("aria-pressed", String(Boolean(this.running)));
  }

  /** One at a time: a story that was stopped first comes to its end. */
  async play() {
    this.opener.disabled = true;
    await this.over;
    this.opener.disabled = false;
    this.over = this.playThrough();
  }

  async playThrough() {
    this.running = true;
    this.strip.hidden = false;
    this.draw();
    this.story.restart(this.wall.phones);
    this.began = this.marks();
    this.called = false;
    try {
      for (const step of this.story.steps) await this.perform(step);
      this.say("故事到这里。每一步都是刚才真实发生的。", "The end. Everything you saw really happened just now.", "");
    } catch (error) {
      if (error instanceof Stopped) this.strip.hidden = true;
      else this.say(`故事停在这一步：${error.message}`, "The story stopped here.", this.place.textContent);
    }
    this.running = false;
    this.draw();
  }

  stop() {
    this.running = false;
    this.strip.hidden = true;
    this.draw();
  }

  say(words, english, place) {
    this.caption.textContent = words;
    this.english.textContent = english ?? "";
    this.place.textContent = place;
  }

  async perform(step) {
    const phone = step.phone ? await this.phoneOf(step) : undefined;
    const marks = this.marks();
    const story = this.story.steps.length;
    if ((step.without_call && this.called) || (step.optional && !(await this.isPossible(step, phone)))) {
      this.story.finished(step, this.wall.phones);
      return;
    }
    this.called ||= step.do === "pick_up";
    if (step.caption) this.say(step.caption, step.caption_en, `${step.index + 1}/${story}`);
    await this.pause(Math.min(READING_MS, READING_LETTER_MS * (step.caption?.length ?? 0)));
    await this.act(step, phone);
    if (step.asks) await this.reply(step, phone, marks);
    for (const wanted of step.until ?? []) await this.seen(wanted, wanted.earlier ? this.began : marks);
    this.story.finished(step, this.wall.phones);
    await this.pause(READING_MS + READING_LETTER_MS * (step.caption?.length ?? 0));
  }

  /** Whether a step that may be left out can be done here: not every county has a gateway for calls. */
  async isPossible(step, { call }) {
    if (step.do !== "pick_up") return call.talking;
    try {
      return await this.until(() => call.isRinging, "", RINGS_WITHIN_MS);
    } catch (error) {
      if (error instanceof Stopped) throw error;
      return false;
    }
  }

  async act(step, phone) {
    phone?.element.scrollIntoView({ inline: "nearest", block: "nearest" });
    if (step.time !== undefined) {
      const seconds = typeof step.time === "number" ? step.time : secondsUntil(this.clock.now(), nextAt(this.clock.now(), step.time));
      if (!(await this.clock.advance(seconds))) throw new Error("时间没有拨动。");
    } else if (step.say) await this.type(step, phone);
    else if (step.tap) await this.tap(step, phone);
    else await this.handle(step, phone);
    this.check();
  }

  async type(step, phone) {
    const { composer } = phone;
    composer.setMode("keyboard");
    composer.input.value = "";
    for (const letter of step.say) {
      this.check();
      composer.input.value += letter;
      composer.grow();
      await this.pause(LETTER_MS);
    }
    await composer.send();
  }

  async tap(step, phone) {
    const link = await this.until(() => [...phone.list.querySelectorAll(".text-link")].findLast((one) => one.textContent.includes(step.tap)), `没有等到“${step.tap}”可点`);
    link.click();
  }

  async handle(step, phone) {
    const { call } = phone;
    const newestCard = () => [...phone.list.querySelectorAll("[data-testid=card-open]")].at(-1);
    const hands = {
      open: async () => (await this.until(newestCard, `${phone.name}没有收到卡片`)).click(),
      close: () => phone.screen.querySelector("[data-testid=frame-close]")?.click(),
      pick_up: () => call.pickUp(),
      press: () => call.press(step.key),
      hang_up: () => call.hangUp(),
      lock: () => phone.notifier.lockNow(),
      unlock: () => phone.notifier.unlock(),
    };
    if (hands[step.do]) return hands[step.do]();
    return phone.act(this.story.perform(step, phone.api));
  }

  /** The newest item of each phone now. */
  marks() {
    return new Map(this.wall.phones.map((phone) => [phone, phone.last]));
  }

  /** What a phone read after its mark that fits the pattern, as exec() gives it. */
  read(phone, pattern, marks) {
    const fresh = phone.items.filter((item) => item.n > (marks.get(phone) ?? 0) && item.side !== "me");
    return fresh.map((item) => new RegExp(pattern).exec(wordsOf(item))).find(Boolean);
  }

  async seen({ phone: name, reads }, marks) {
    const phone = await this.phoneOf({ phone: name });
    await this.until(() => this.read(phone, reads, marks), `${phone.name}没有收到“${reads}”`);
  }

  /** Where the bot asks which one is meant, say so; where it just did it, there is nothing to say. */
  async reply({ asks: [question, answer], until: [wanted] }, phone, marks) {
    await this.until(() => this.read(phone, question, marks) ?? this.read(phone, wanted.reads, marks), `${phone.name}没有收到回答`);
    const asked = this.read(phone, question, marks);
    if (asked) await this.type({ say: answer.replace("$1", asked[1]) }, phone);
  }

  async phoneOf(step) {
    const shown = this.wall.phones.find((phone) => isFor(step, phone));
    if (shown) return shown;
    await this.wall.mount(this.wall.known.find((phone) => isFor(step, phone)));
    const mounted = this.wall.phones.find((phone) => isFor(step, phone));
    if (!mounted) throw new Error(`没有叫“${step.phone}”的手机。`);
    return mounted;
  }

  /** Wait for something to be there; an error with this sentence when it does not come. */
  async until(look, sentence, patience = PATIENCE_MS) {
    const end = Date.now() + patience;
    while (Date.now() < end) {
      this.check();
      const found = look();
      if (found) return found;
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
    throw new Error(`${sentence}。`);
  }

  async pause(ms) {
    this.check();
    await new Promise((resolve) => { setTimeout(resolve, ms / this.speed); });
    this.check();
  }

  check() {
    if (!this.running) throw new Stopped();
  }
}
