// A file of a run, to be saved.

import { h } from "./dom.js";
import { sizeOf } from "./words.js";

/** A link that saves a file; browsers never show its content as a page. */
export function fileLink(run, file) {
  return h("span", {}, h("a", { href: `/runs/${run}/files/${file.file_id}`, download: file.name }, file.name), ` (${sizeOf(file.size)})`);
}
