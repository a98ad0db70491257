// The console: who looks, what they look at, and what waits for them meanwhile.

import { get, signedIn, signsOut } from "./api.js";
import { h, write } from "./dom.js";
import { Inbox } from "./inbox.js";
import { headline } from "./outcome.js";
import { runView } from "./run.js";
import { runsView } from "./runs.js";
import { countWaiting, notify, say, titleOf } from "./speak.js";
import { waitingView } from "./waiting.js";
import { refreshMoments } from "./words.js";

const AGAIN = 2000;
const UUID = /^[0-9a-f-]{36}$/;
const main = document.getElementById("main");
const inbox = new Inbox();
let view = null;

/** A view whose script is loaded when somebody looks at it. */
const lazily = (script, name) => (context, rest) => {
  const node = h("div", {});
  let made = null;
  let closed = false;
  import(script).then((found) => {
    if (closed) return;
    made = found[name](context, rest);
    titleOf(made.title);
    node.replaceChildren(made.node);
    made.node.querySelector("h1")?.focus({ preventScroll: true });
  });
  return { node, title: "", close: () => ((closed = true), made?.close()) };
};

/** The view that an address names, and what of it. */
function chosen() {
  const [, name = "", ...rest] = location.hash.replace(/^#/, "").split("/");
  if (name === "runs" && UUID.test(rest[0] ?? "")) return ["runs", runView, rest];
  if (name === "runs") return ["runs", runsView, rest];
  if (name === "record" && UUID.test(rest[0] ?? "")) return ["record", lazily("./record.js", "recordView"), rest];
  if (name === "me") return ["me", lazily("./identities.js", "identitiesView"), rest];
  if (name === "start") return ["start", lazily("./start.js", "startView"), rest];
  return ["waiting", waitingView, rest];
}

function show(moved) {
  view?.close();
  const [name, make, rest] = chosen();
  view = make({ inbox }, rest);
  main.replaceChildren(view.node);
  main.removeAttribute("aria-busy");
  titleOf(view.title);
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!moved) return;
  window.scrollTo(0, 0);
  view.node.querySelector("h1")?.focus({ preventScroll: true });
}

function showMe(me) {
  const line = h("span", { class: "link" }, "Live");
  const out = h("form", { method: "post", action: "/console/sign-out", onsubmit: signsOut }, h("button", { class: "quiet" }, "Sign out"));
  document.getElementById("me").replaceChildren(line, h("a", { class: "who", href: "#/me", title: `${me.name}: your identities` }, me.name), me.signed_in ? out : "");
  inbox.addEventListener("line", ({ detail: up }) => {
    if (line.classList.toggle("away", !up) && line.textContent === "Live") say("The connection is lost. It is being tried again.");
    else if (up && line.textContent !== "Live") say("Connected again.");
    write(line, up ? "Live" : "Reconnecting…");
  });
}

function listen() {
  inbox.addEventListener("change", () => countWaiting(inbox.mine.length));
  inbox.addEventListener("asked", ({ detail: question }) => {
    const title = inbox.titles.get(question.run_id)?.title ?? "A crew";
    say(`New question from ${title}: ${question.prompt}`);
    notify(`${title} asks`, question);
  });
  inbox.addEventListener("settled", ({ detail }) => {
    if (detail.known) say(`A question was settled: ${headline(detail.outcome, "")}`);
  });
}

async function begin() {
  const me = await get("/me");
  if (me.signed_in) signedIn();
  showMe(me);
  listen();
  inbox.open();
  show(false);
  window.addEventListener("hashchange", () => show(true));
  document.getElementById("skip").addEventListener("click", () => main.focus());
  setInterval(refreshMoments, 15000);
}

/** Begin, also after the server or its store was away when the page was loaded. */
function enter() {
  begin().catch((problem) => {
    main.removeAttribute("aria-busy");
    if (main.textContent !== problem.message) main.replaceChildren(h("p", { class: "problem view", role: "alert" }, problem.message));
    if (problem.status === 0 || problem.status >= 500) setTimeout(enter, AGAIN);
  });
}

enter();
