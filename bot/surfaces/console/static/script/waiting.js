// What waits for me: every open question that I may answer, oldest first; then what waits for others.

import { Batch, batches } from "./batch.js";
import { Card } from "./card.js";
import { arrange, h, write } from "./dom.js";
import { needsMe } from "./inbox.js";
import { RunList } from "./runlist.js";
import { canNotify, say, wantNotifications } from "./speak.js";
import { summary } from "./words.js";

/** From so many on, the approvals of one run are decided together. */
const LEAST_IN_BATCH = 2;

export function waitingView({ inbox }) {
  /** Cards stay while one is here, also when they are settled: nothing jumps away under anybody's hands. */
  const cards = new Map();
  const groups = new Map();
  const lead = h("p", { class: "lead" });
  const list = h("div", { class: "stack" });
  const others = new Others((question) => runOf(question));
  const empty = h(
    "div",
    { class: "empty", hidden: true },
    h("p", {}, "When a crew needs a decision or a word from you, it shows up here by itself."),
    h("a", { class: "button primary", href: "#/start" }, "Start a crew"),
  );
  const running = new RunList("/runs?active=true&limit=12", "Nothing is running.");
  const node = h(
    "div",
    { class: "view wide" },
    h("div", {}, h("div", { class: "head" }, h("h1", { tabindex: "-1" }, "Waiting for you"), notifyButton()), lead),
    list,
    empty,
    others.node,
    h("section", { class: "aside", "aria-labelledby": "running" }, h("h2", { id: "running" }, "Under way"), running.node),
  );
  node.addEventListener("answered", (event) => inbox.drop(event.detail));

  function titleOf(question) {
    const run = inbox.titles.get(question.run_id);
    return run ? [run.title, [...summary(run.inputs)].slice(0, 60).join("")].filter(Boolean).join(": ") : "Run";
  }

  const runOf = (question) => (inbox.titles.has(question.run_id) ? { title: titleOf(question) } : null);

  function show() {
    if (!inbox.loaded) return;
    for (const [id, question] of inbox.questions) {
      if (cards.has(id)) cards.get(id).update(question);
      else if (needsMe(question)) cards.set(id, new Card(question, runOf(question)));
    }
    others.take([...inbox.questions.values()].filter((question) => !cards.has(question.question_id)));
    arrange(list, nodes());
    const number = inbox.mine.length;
    empty.hidden = cards.size > 0;
    list.hidden = cards.size === 0;
    write(lead, number > 1 ? `${number} questions, oldest first.` : number ? "1 question." : "Nothing waits for you.");
  }

  /** The cards, the approvals of one run below their batch. */
  function nodes() {
    const found = [];
    const seen = new Set();
    for (const card of cards.values()) {
      const run = card.question.run_id;
      if (seen.has(run)) continue;
      seen.add(run);
      const ofRun = [...cards.values()].filter((each) => each.question.run_id === run);
      const together = ofRun.filter((each) => batches(each.question));
      if (groups.has(run) || together.filter((each) => !each.settled).length >= LEAST_IN_BATCH) {
        if (!groups.has(run)) groups.set(run, new Batch(`${titleOf(card.question)}: ${together.length} approvals`));
        groups.get(run).take(together);
        found.push(groups.get(run).node);
      }
      found.push(...ofRun.map((each) => each.node));
    }
    return found;
  }

  function settled({ detail }) {
    cards.get(detail.id)?.settle(detail.outcome);
    for (const group of groups.values()) group.settle(detail.id, detail.outcome);
    others.settle(detail.id, detail.outcome);
    running.read();
  }

  const listening = new AbortController();
  inbox.addEventListener("change", show, { signal: listening.signal });
  inbox.addEventListener("settled", settled, { signal: listening.signal });
  inbox.addEventListener("asked", () => running.read(), { signal: listening.signal });
  show();
  return { node, title: "Waiting", close: () => (listening.abort(), running.close()) };
}

/** What others have to answer, folded; its cards are made when somebody looks. */
class Others {
  constructor(runOf) {
    this.runOf = runOf;
    this.cards = new Map();
    this.questions = [];
    this.title = h("summary", {});
    this.list = h("div", { class: "stack" });
    this.node = h("details", { class: "others", hidden: true, ontoggle: () => this.show() }, this.title, this.list);
  }

  take(questions) {
    this.questions = questions;
    this.show();
  }

  show() {
    const number = this.questions.length;
    this.node.hidden = !number && !this.cards.size;
    write(this.title, `${number} ${number === 1 ? "waits" : "wait"} for others`);
    if (!this.node.open) return;
    for (const question of this.questions) {
      const known = this.cards.get(question.question_id);
      if (known) known.update(question);
      else this.cards.set(question.question_id, new Card(question, this.runOf(question)));
    }
    arrange(this.list, [...this.cards.values()].map((card) => card.node));
  }

  settle(id, outcome) {
    this.cards.get(id)?.settle(outcome);
  }
}

function notifyButton() {
  if (!canNotify()) return "";
  const button = h("button", { class: "quiet", type: "button" }, "Notify me on this desktop");
  button.addEventListener("click", async () => {
    const allowed = await wantNotifications();
    say(allowed ? "You will be notified of new questions." : "This browser does not allow notifications.");
    button.replaceWith(h("p", { class: "hint" }, allowed ? "Notifications are on." : "This browser does not allow notifications."));
  });
  return button;
}
