// A list of runs that keeps itself up to date.

import { get } from "./api.js";
import { arrange, h, write } from "./dom.js";
import { nameOf } from "./outcome.js";
import { STATES, moment, summary } from "./words.js";

const EVERY = 3000;

export class RunList {
  constructor(path, nothing) {
    this.path = path;
    this.rows = new Map();
    this.more = [];
    this.list = h("ul", { class: "runs" });
    this.note = h("p", { class: "hint" });
    this.moreButton = h("button", { type: "button", hidden: true, onclick: () => this.readMore() }, "Show older runs");
    this.nothing = nothing;
    this.node = h("div", {}, this.list, this.note, this.moreButton);
    this.timer = 0;
    this.closed = false;
    this.next = null;
    this.read();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }

  async read() {
    clearTimeout(this.timer);
    try {
      if (document.visibilityState === "visible") this.take(await get(this.path));
    } catch (problem) {
      write(this.note, problem.message);
    }
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(() => this.read(), EVERY);
  }

  take({ runs, next }) {
    this.newest = runs;
    this.next ??= next;
    this.show();
  }

  async readMore() {
    const cursor = this.next;
    const { runs, next } = await get(`${this.path}&cursor=${encodeURIComponent(cursor)}`);
    this.more.push(...runs);
    this.next = next ?? "";
    this.show();
    const first = runs[0] && this.rows.get(runs[0].run_id);
    first?.link.focus();
  }

  show() {
    const seen = new Set();
    const runs = [...this.newest, ...this.more].filter((run) => !seen.has(run.run_id) && seen.add(run.run_id));
    arrange(this.list, runs.map((run) => this.row(run).node));
    this.list.hidden = !runs.length;
    this.moreButton.hidden = !this.next;
    write(this.note, runs.length ? "" : this.nothing);
  }

  row(run) {
    let row = this.rows.get(run.run_id);
    if (!row) {
      row = makeRow(run);
      this.rows.set(run.run_id, row);
    }
    if (row.state.className !== `state ${run.status}`) row.state.className = `state ${run.status}`;
    write(row.state, STATES[run.status] ?? run.status);
    return row;
  }
}

function makeRow(run) {
  const state = h("span", {});
  const about = [summary(run.inputs), nameOf(run.requester)].filter(Boolean).join(" · ");
  const link = h(
    "a",
    { href: `#/runs/${run.run_id}` },
    h("span", { class: "title" }, run.title),
    state,
    h("span", { class: "about" }, moment(run.created_at), ` · ${about}`),
  );
  return { node: h("li", {}, link), link, state };
}
