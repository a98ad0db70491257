// What waits for me: every open question that I may answer, oldest first.

import { Card } from "./card.js";
import { arrange, h, write } from "./dom.js";
import { RunList } from "./runlist.js";
import { canNotify, say, wantNotifications } from "./speak.js";
import { summary } from "./words.js";

export function waitingView({ inbox }) {
  /** Cards stay while one is here, also when they are settled: nothing jumps away under anybody's hands. */
  const cards = new Map();
  const lead = h("p", { class: "lead" });
  const list = h("div", { class: "stack" });
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
    h("section", { class: "aside", "aria-labelledby": "running" }, h("h2", { id: "running" }, "Under way"), running.node),
  );
  list.addEventListener("answered", (event) => inbox.drop(event.detail));

  function show() {
    if (!inbox.loaded) return;
    for (const [id, question] of inbox.questions) {
      const run = inbox.titles.get(question.run_id);
      const title = run ? [run.title, [...summary(run.inputs)].slice(0, 60).join("")].filter(Boolean).join(": ") : "Run";
      if (!cards.has(id)) cards.set(id, new Card(question, { title }));
    }
    arrange(list, [...cards.values()].map((card) => card.node));
    const number = inbox.questions.size;
    empty.hidden = cards.size > 0;
    list.hidden = cards.size === 0;
    write(lead, number ? `${number} ${number === 1 ? "question" : "questions"}, oldest first.` : "Nothing waits for you.");
  }

  function settled({ detail }) {
    cards.get(detail.id)?.settle(detail.outcome);
    running.read();
  }

  const listening = new AbortController();
  inbox.addEventListener("change", show, { signal: listening.signal });
  inbox.addEventListener("settled", settled, { signal: listening.signal });
  inbox.addEventListener("asked", () => running.read(), { signal: listening.signal });
  show();
  return { node, title: "Waiting", close: () => (listening.abort(), running.close()) };
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
