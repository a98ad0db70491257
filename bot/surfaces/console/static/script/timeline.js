// What happened in a run, in order: tasks, questions with their answers, the end.

import { Card } from "./card.js";
import { h } from "./dom.js";
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
    this.tasks = new Map();
    this.node.replaceChildren();
  }

  /** What the run's page says of its questions: who asked is not in the events. */
  learn(questions) {
    for (const question of questions) this.known.set(question.question_id, question);
  }

  /** Whether each open question is mine to answer. */
  mark() {
    for (const card of this.cards.values()) card.setMine(this.inbox.questions.has(card.id));
  }

  add(type, event) {
    switch (type) {
      case "run_started":
        return this.line("done", `Started${event.requester ? ` by ${event.requester}` : ""}`, event);
      case "task_started":
        return this.startTask(event);
      case "task_completed":
        return this.tasks.get(event.task_id)?.finish(event) ?? this.startTask(event).finish(event);
      case "run_changed":
        return this.line("done", event.change, event);
      case "human_input_required":
        return this.ask(event);
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

  ask(event) {
    const known = this.known.get(event.question_id);
    const question = { ...event, asker: known?.asker ?? "", run_id: event.execution_id, created_at: event.timestamp, outcome: null };
    const card = new Card(question, null, { mine: this.inbox.questions.has(event.question_id), full: true });
    this.cards.set(event.question_id, card);
    this.node.append(h("li", { class: "asks" }, card.node));
    card.node.addEventListener("answered", () => this.inbox.drop(card.id));
  }

  answer(event) {
    const card = this.cards.get(event.question_id);
    card?.settle(fromEvent(event));
    if (card) card.node.parentElement.className = event.action === "reject" ? "bad" : "done";
  }
}
