// All runs, newest first.

import { h } from "./dom.js";
import { RunList } from "./runlist.js";

const FILTERS = { all: ["All", ""], active: ["Under way", "&active=true"], over: ["Over", "&active=false"] };

export function runsView(_, [filter = "all"] = []) {
  const [, query] = FILTERS[filter] ?? FILTERS.all;
  const list = new RunList(`/runs?limit=30${query}`, "There are no runs yet.");
  const tabs = Object.entries(FILTERS).map(([name, [label]]) =>
    h("a", { href: name === "all" ? "#/runs" : `#/runs/${name}`, "aria-current": name === filter ? "page" : null }, label),
  );
  const node = h(
    "div",
    { class: "view" },
    h("div", { class: "head" }, h("h1", { tabindex: "-1" }, "Runs"), h("nav", { class: "tabs", "aria-label": "Which runs" }, tabs)),
    list.node,
  );
  return { node, title: "Runs", close: () => list.close() };
}
