// An event stream that goes on where it was, whatever happens in between.

import { get } from "./api.js";
import { parse } from "./exact.js";

const AGAIN = 2000;

/** Follow `path`. `hear(type, event)` gets each event; `tell(live)` whether the line is up. Returns how to stop. */
export function follow(path, types, hear, tell = () => {}) {
  let source = null;
  let cursor = "";
  let timer = 0;
  let stopped = false;

  function open() {
    source = new EventSource(cursor ? `${path}?last_event_id=${encodeURIComponent(cursor)}` : path);
    source.onopen = () => tell(true);
    source.onerror = () => {
      tell(false);
      // A browser comes back by itself, unless the answer was an error or "that was all".
      if (source.readyState === EventSource.CLOSED && !stopped) timer = setTimeout(again, AGAIN);
    };
    for (const type of types) source.addEventListener(type, heard);
  }

  function heard(message) {
    if (message.lastEventId) cursor = message.lastEventId;
    hear(message.type, parse(message.data));
  }

  /** First ask who we are: if nobody, this leads to where people sign in. */
  function again() {
    get("/me").then(
      () => stopped || open(),
      () => stopped || (timer = setTimeout(again, AGAIN)),
    );
  }

  open();
  return () => {
    stopped = true;
    clearTimeout(timer);
    source.close();
  };
}
