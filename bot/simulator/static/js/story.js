// The story's next sentences as chips under each phone, for people without a Chinese keyboard.
// /static/story.json: [{phone: parts of the phone's name with | between them, say: text} or {phone, do: "photo"|"voice"|"place", label}].

import { CAPTION, PLACES, murmur, picture } from "./samples.js";

const AHEAD = 2;
const KEY = "tongban-story-done";

const isFor = (step, phone) => step.phone.split("|").some((word) => phone.name.includes(word));

export class Story {
  constructor() {
    this.steps = [];
    this.done = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
  }

  /** A page without a story works as well. */
  async load() {
    const answer = await fetch("/static/story.json").catch(() => undefined);
    if (!answer?.ok) return;
    const steps = await answer.json().catch(() => []);
    this.steps = steps.map((step, index) => ({ ...step, index }));
  }

  /** Put the next steps of every phone under it; the story's very next one is marked. */
  show(phones) {
    const open = this.steps.filter((step) => !this.done.has(step.index));
    const next = open[0];
    for (const phone of phones) {
      const own = open.filter((step) => isFor(step, phone)).slice(0, AHEAD);
      phone.composer.setChips(own.map((step) => ({ label: step.label ?? step.say, isNext: step === next, work: () => this.play(step, phone, phones) })));
    }
  }

  async play(step, phone, phones) {
    this.done.add(step.index);
    sessionStorage.setItem(KEY, JSON.stringify([...this.done]));
    this.show(phones);
    await phone.act(this.perform(step, phone.api));
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
