// One run: what it was given, what happens in it, what came of it.

import { get, post } from "./api.js";
import { h, write } from "./dom.js";
import { fileLink } from "./filelink.js";
import { nameOf } from "./outcome.js";
import { prose } from "./markdown.js";
import { say } from "./speak.js";
import { follow } from "./stream.js";
import { Timeline } from "./timeline.js";
import { STATES, fileOf, moment, spoken } from "./words.js";

const TYPES = [
  "run_started", "task_started", "task_completed", "run_changed", "run_progress", "file_attached", "file_refused", "human_input_required", "human_input_recorded", "human_input_completed",
  "run_completed", "run_failed", "run_cancelled", "stream_reset",
];
/** Milliseconds between two looks at what a queued run waits for. */
const LOOK_EVERY = 4000;
const LAST = new Set(["run_completed", "run_failed", "run_cancelled"]);

export function runView({ inbox }, [id]) {
  const title = h("h1", { tabindex: "-1" }, "Run");
  const state = h("span", { class: "state", hidden: true });
  const waits = h("p", { class: "hint", hidden: true });
  const cancel = h("button", { type: "button", class: "no", hidden: true }, "Cancel this run");
  const wrong = h("p", { class: "problem", role: "alert", hidden: true });
  const facts = h("dl", { class: "facts" });
  const about = h("section", { class: "aside", "aria-label": "About this run", hidden: true }, h("h2", {}, "About this run"), facts, h("p", { class: "row" }, cancel));
  const timeline = new Timeline(inbox);
  const end = h("div", {});
  const node = h(
    "div",
    { class: "view wide" },
    h("div", {}, h("div", { class: "head" }, title, state), waits),
    wrong,
    h("section", { "aria-label": "Timeline" }, timeline.node),
    end,
    about,
  );

  const listening = new AbortController();
  let run = null;
  let over = false;
  let looking = 0;
  let stop = () => {};

  function complain(problem) {
    write(wrong, problem.message);
    wrong.hidden = false;
  }

  function describe(found) {
    run = found;
    write(title, run.title);
    facts.replaceChildren(...factsOf(run));
    about.hidden = false;
    timeline.learn(run.questions);
    status(run.status);
    waiting(run.waiting_for);
  }

  /** What a queued run waits for; that changes without an event. */
  function waiting(wait) {
    clearTimeout(looking);
    waits.hidden = !wait;
    write(waits, wait?.message ?? "");
    if (wait && !listening.signal.aborted) looking = setTimeout(look, LOOK_EVERY);
  }

  function look() {
    if (document.hidden) looking = setTimeout(look, LOOK_EVERY);
    else if (!waits.hidden) get(`/runs/${id}`).then((found) => waits.hidden || describe(found), () => waiting(null));
  }

  function status(now) {
    over = ["completed", "failed", "cancelled"].includes(now);
    state.className = `state ${now}`;
    write(state, STATES[now] ?? now);
    state.hidden = false;
    cancel.hidden = over;
    if (now !== "queued") waiting(null);
  }

  function hear(type, event) {
    if (type === "stream_reset") return timeline.clear();
    timeline.add(type, event);
    if (type === "task_started" || type === "human_input_completed") status("running");
    if (type === "human_input_required") status("input_required");
    if (LAST.has(type)) finish(type, event);
  }

  function finish(type, event) {
    stop();
    const live = !over;
    status(type.slice("run_".length));
    end.replaceChildren(ending(type, event));
    if (live) say(`${run?.title ?? "The run"}: ${STATES[type.slice("run_".length)]}`);
    get(`/runs/${id}`).then(describe, () => {});
  }

  cancel.addEventListener("click", async () => {
    if (!(await sure())) return;
    await post(`/runs/${id}/cancel`, {}).then(describe, complain);
  });

  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : over || open()), { signal: listening.signal });

  /** Not while hidden: a browser has few lines to one server, and other tabs need theirs. */
  function open() {
    stop();
    timeline.clear();
    stop = follow(`/events/human-input/${id}`, TYPES, hear);
  }

  get(`/runs/${id}`).then((found) => {
    describe(found);
    over = false;
    if (!listening.signal.aborted) open();
  }, complain);
  return { node, title: "Run", close: () => (listening.abort(), clearTimeout(looking), stop(), timeline.close()) };
}

function factsOf(run) {
  const rows = Object.entries(run.inputs).map(([name, value]) => [spoken(name), fileOf(value) ? fileLink(run.run_id, { ...fileOf(value), file_id: fileOf(value).id }) : String(value)]);
  rows.push(["Started by", nameOf(run.requester)], ["Started", moment(run.created_at)]);
  if (run.finished_at) rows.push(["Ended", moment(run.finished_at)]);
  rows.push(["Id", h("code", {}, run.run_id)]);
  return rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

function ending(type, event) {
  if (type === "run_completed") {
    return h("section", { class: "result", "aria-labelledby": "result" }, h("h2", { id: "result" }, "Result"), prose(event.result));
  }
  const why = type === "run_failed" ? event.error.message : `Cancelled${event.cancelled_by ? ` by ${event.cancelled_by}` : ""}.`;
  return h("p", { class: type === "run_failed" ? "problem" : "hint" }, why);
}

/** Ask once more; resolves to whether they are sure. */
function sure() {
  const dialog = h(
    "dialog",
    { "aria-labelledby": "sure" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "sure" }, "Cancel this run?"),
      h("p", {}, "Its open questions are withdrawn. This can't be undone."),
      h("div", { class: "row" }, h("button", { class: "no", value: "yes" }, "Cancel the run"), h("button", { value: "no", autofocus: true }, "Let it go on")),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
