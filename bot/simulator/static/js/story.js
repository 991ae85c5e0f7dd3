// The county's story (/static/story.json): its next sentences as chips under each phone, and what the bot's words mean in English.
//
// steps     {phone: parts of the phone's name with | between, caption, caption_en, en, label, and one of
//            say · tap (a link's words) · do: photo | voice | place | open (the newest card) | close | pick_up | press (key) | lock | unlock
//            or time: seconds, or "07:30" for the next such moment;
//            asks: [a regular expression, what to say where the bot answers so, with its $1];
//            until: [{phone, reads: a regular expression, earlier: true where it may have come in an earlier step}] what must be seen then;
//            optional: true for a call, which not every county can place; without_call: true for what is said instead}
// glosses   [[a regular expression, what it means in English]], the first that fits

import { CAPTION, PLACES, murmur, picture } from "./samples.js";

const AHEAD = 2;
const KEY = "tongban-story-done";
const BY_CHIP = new Set(["photo", "voice", "place"]);

export const isFor = (step, phone) => step.phone?.split("|").some((word) => phone.name.includes(word));

/** Everything that can be read on a screen item. */
export const wordsOf = (item) => [item.title, item.text, ...(item.fields ?? []).map((field) => field.value), ...(item.items ?? []).map((entry) => entry.content)].filter(Boolean).join("\n");

export class Story {
  constructor() {
    this.steps = [];
    this.glosses = [];
    this.done = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
  }

  /** A page without a story works as well. */
  async load() {
    const answer = await fetch("/static/story.json").catch(() => undefined);
    if (!answer?.ok) return;
    const { steps, glosses } = await answer.json();
    this.steps = steps.map((step, index) => ({ ...step, index }));
    this.glosses = glosses.map(([pattern, en]) => [new RegExp(pattern), en]);
  }

  glossOf(item) {
    if (item.side === "me") {
      return this.steps.find((step) => step.en && step.say === item.text)?.en;
    }
    const words = wordsOf(item);
    return this.glosses.find(([pattern]) => pattern.test(words))?.[1];
  }

  /** Put the next steps of every phone under it; the story's very next one is marked. */
  show(phones) {
    const open = this.steps.filter((step) => !this.done.has(step.index) && (step.say || BY_CHIP.has(step.do)));
    const next = open[0];
    for (const phone of phones) {
      const own = open.filter((step) => isFor(step, phone)).slice(0, AHEAD);
      phone.composer.setChips(own.map((step) => ({ label: step.label ?? step.say, en: step.en, isNext: step === next, work: () => this.tapped(step, phone, phones) })));
    }
  }

  tapped(step, phone, phones) {
    this.finished(step, phones);
    return phone.act(this.perform(step, phone.api));
  }

  /** Whoever types the next sentence instead of tapping it is as far in the story. */
  said(phone, text, phones) {
    const step = this.steps.find((one) => !this.done.has(one.index) && one.say === text && isFor(one, phone));
    if (step) this.finished(step, phones);
  }

  finished(step, phones) {
    this.done.add(step.index);
    sessionStorage.setItem(KEY, JSON.stringify([...this.done]));
    this.show(phones);
  }

  async perform(step, api) {
    if (step.do === "photo") return api.image(await picture(CAPTION), "photo.jpg");
    if (step.do === "voice") return api.voice(murmur(), "voice.wav", "wav");
    if (step.do === "place") return api.location(PLACES[0]);
    return api.say(step.say);
  }

  restart(phones) {
    this.done.clear();
    sessionStorage.removeItem(KEY);
    this.show(phones);
  }
}
