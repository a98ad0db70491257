// What is open and waits, for whoever looks or for others. The stream says that something changed; the API says what is.

import { get } from "./api.js";
import { fromEvent, fromOutcome } from "./outcome.js";
import { follow } from "./stream.js";

const TYPES = ["human_input_required", "human_input_recorded", "human_input_completed", "snapshot_complete", "stream_reset"];
const SOON = 60;

/** Whoever may answer a question need not see its run. */
function unseen(problem) {
  if (problem.status === 404) return [];
  throw problem;
}

/** Whether a question needs an answer of whoever looks. */
export const needsMe = (question) => question.viewer.can_answer && !question.viewer.response;

/** Events: `change` (the list), `asked` (detail: a new question for me), `settled` (detail: {id, outcome}), `line` (detail: up?). */
export class Inbox extends EventTarget {
  constructor() {
    super();
    /** All open questions that I may see, oldest first. */
    this.questions = new Map();
    this.titles = new Map();
    this.loaded = false;
    this.snapshot = false;
    this.timer = 0;
    this.reading = false;
  }

  /** Those that need an answer of mine. */
  get mine() {
    return [...this.questions.values()].filter(needsMe);
  }

  open() {
    follow("/events/human-input", TYPES, (type, event) => this.hear(type, event), (up) => this.tell("line", up));
    this.soon();
  }

  hear(type, event) {
    if (type === "snapshot_complete") this.snapshot = true;
    if (type === "human_input_completed") this.settle(event.question_id, fromEvent(event));
    // What is in the snapshot is read at once, when that is complete.
    else if (type !== "human_input_required" || this.snapshot) this.soon();
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  settle(id, outcome) {
    const known = this.questions.get(id);
    this.questions.delete(id);
    this.tell("settled", { id, outcome, known: Boolean(known) && (needsMe(known) || Boolean(known.viewer.response)) });
    if (known) this.tell("change");
  }

  /** Answered here: it waits no more, whatever the stream says and when. */
  drop(id) {
    if (this.questions.delete(id)) this.tell("change");
    this.soon();
  }

  /** Read again in a moment, once for all that happens until then. */
  soon(milliseconds = SOON) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), milliseconds);
  }

  async read() {
    if (this.reading) return this.soon();
    this.reading = true;
    try {
      const { questions } = await get("/questions?limit=1000");
      await this.learnTitles(questions);
      await this.take(questions);
    } catch (problem) {
      if (problem.status !== 401) this.soon(2000);
    } finally {
      this.reading = false;
    }
  }

  async take(questions) {
    const before = this.questions;
    const first = !this.loaded;
    this.questions = new Map(questions.map((question) => [question.question_id, question]));
    this.loaded = true;
    this.tell("change");
    for (const [id, question] of this.questions) if (!first && !before.has(id) && needsMe(question)) this.tell("asked", question);
    await Promise.all([...before.keys()].filter((id) => !this.questions.has(id)).map((id) => this.whatBecameOf(id)));
  }

  /** It was settled while nobody told us. */
  async whatBecameOf(id) {
    const { outcome } = await get(`/questions/${id}`);
    if (outcome) this.tell("settled", { id, outcome: fromOutcome(outcome), known: true });
  }

  async learnTitles(questions) {
    const unknown = new Set(questions.map((question) => question.run_id).filter((id) => !this.titles.has(id)));
    if (unknown.size > 3) this.learn((await get("/runs?active=true&limit=200")).runs);
    for (const id of unknown) if (!this.titles.has(id)) this.learn(await get(`/runs/${id}`).then((run) => [run], unseen));
  }

  learn(runs) {
    for (const run of runs) this.titles.set(run.run_id, run);
  }
}
