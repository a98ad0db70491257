// What happened in a run, in order: tasks, questions with their answers, the end.

import { get } from "./api.js";
import { Card } from "./card.js";
import { h } from "./dom.js";
import { fileLink } from "./filelink.js";
import { fromEvent } from "./outcome.js";
import { moment, spoken } from "./words.js";

export class Timeline {
  constructor(inbox) {
    this.inbox = inbox;
    this.node = h("ol", { class: "timeline" });
    this.listening = new AbortController();
    inbox.addEventListener("change", () => this.mark(), { signal: this.listening.signal });
    this.known = new Map();
    this.clear();
  }

  close() {
    this.listening.abort();
  }

  clear() {
    this.cards = new Map();
    this.asked = new Map();
    this.tasks = new Map();
    this.note = null;
    this.node.replaceChildren();
  }

  /** The run's questions, as its page has them: events don't say who looks and what they may do. */
  learn(questions) {
    for (const question of questions) this.known.set(question.question_id, question);
  }

  /** Bring the open questions up to date. */
  mark() {
    for (const card of this.cards.values()) {
      const question = this.inbox.questions.get(card.id);
      if (question) card.update(question);
    }
  }

  add(type, event) {
    if (type !== "run_progress" && type.startsWith("run_") && type !== "run_started" && type !== "run_changed") this.note?.remove();
    switch (type) {
      case "run_started":
        return this.line("done", `Started${event.requester ? ` by ${event.requester}` : ""}`, event);
      case "task_started":
        return this.startTask(event);
      case "task_completed":
        return this.tasks.get(event.task_id)?.finish(event) ?? this.startTask(event).finish(event);
      case "run_changed":
        return this.line("done", event.change, event);
      case "run_progress":
        return this.progress(event);
      case "file_attached":
        return this.attach(event);
      case "file_refused":
        return this.line("bad", `${event.name} can't be attached. ${event.reason}`, event);
      case "human_input_required":
        return this.ask(event);
      case "human_input_recorded":
        return this.record(event);
      case "human_input_completed":
        return this.answer(event);
      case "run_completed":
        return this.line("done", "Completed", event);
      case "run_failed":
        return this.line("bad", "Failed", event);
      case "run_cancelled":
        return this.line("bad", `Cancelled${event.cancelled_by ? ` by ${event.cancelled_by}` : ""}`, event);
    }
  }

  line(look, words, event) {
    const node = h("li", { class: look }, h("span", {}, words), moment(event.timestamp, " · "));
    node.lastChild.className = "when";
    this.node.append(node);
    return node;
  }

  startTask(event) {
    const node = this.line("now", spoken(event.task), event);
    const about = [event.agent, event.total > 1 ? `task ${event.number} of ${event.total}` : ""].filter(Boolean).join(" · ");
    node.append(h("div", { class: "when" }, about));
    const task = { finish: () => (node.className = "done") };
    this.tasks.set(event.task_id, task);
    return task;
  }

  /** One line says how far the crew is, where it said so last. */
  progress(event) {
    this.note?.remove();
    this.note = this.line("now", event.text, event);
  }

  attach(event) {
    const node = this.line("done", fileLink(event.execution_id, event), event);
    if (event.description) node.append(h("div", { class: "when" }, event.description));
  }

  /** The place in the timeline is taken at once; what is asked is read, unless it is known. */
  ask(event) {
    const item = h("li", { class: "asks" });
    const asked = { item, card: null, outcome: null };
    this.asked.set(event.question_id, asked);
    this.node.append(item);
    const known = this.known.get(event.question_id) ?? this.inbox.questions.get(event.question_id);
    if (known?.outcome === null) return this.show(asked, known);
    const look = (question) => this.show(asked, question);
    return get(`/questions/${event.question_id}`).then(look, () => item.append(h("p", {}, event.prompt)));
  }

  show(asked, question) {
    if (this.asked.get(question.question_id) !== asked) return;
    asked.card = new Card(question, null, { full: true });
    this.cards.set(question.question_id, asked.card);
    asked.item.replaceChildren(asked.card.node);
    asked.card.node.addEventListener("answered", () => this.inbox.drop(question.question_id));
    if (asked.outcome) asked.card.settle(asked.outcome);
  }

  record(event) {
    const card = this.cards.get(event.question_id);
    // A stream that begins at the start tells of responses that the card has long shown.
    if (card && !card.settled) card.refresh().catch(() => {});
  }

  answer(event) {
    const asked = this.asked.get(event.question_id);
    if (!asked) return;
    asked.outcome = fromEvent(event);
    asked.card?.settle(asked.outcome);
    asked.item.className = event.action === "reject" ? "bad" : "done";
  }
}
