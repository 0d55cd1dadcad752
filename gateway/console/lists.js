// Lists of the API that grow when somebody asks for more.

import { call } from "./api.js";
import { el, notice } from "./dom.js";

/** Rows at first, and with each asking; the most that the API gives at once. */
export const PAGE = 50;
const PAGE_MAX = 200;

/** A list as `draw` shows it, with a button while there is more. */
export async function grown(path, draw) {
  const place = el("div", { class: "list" });
  const show = async (limit) => {
    const { data, next } = await call("GET", `${path}?limit=${limit}`);
    place.replaceChildren(...[draw(data), more(next, limit, path, async (wider) => {
      await show(wider);
      (place.querySelector("button.more") ?? place.querySelector("[tabindex]"))?.focus();
    })].flat().filter(Boolean));
  };
  await show(PAGE);
  return place;
}

/** What is below a list of nodes that has an end. */
export const notAll = (nodes, next) => (next ? [el("p", { class: "hint" }, `Only your first ${nodes.length} nodes are shown. GET /operator/v1/nodes?after=${next} lists the next ones.`)] : []);

/** What is below a list of `shown` rows. */
export function more(next, shown, path, show) {
  if (!next) return null;
  if (shown >= PAGE_MAX) return el("p", { class: "hint" }, `These are the last ${PAGE_MAX}. GET ${path} has all of them.`);
  return el("button", { class: "second more", type: "button", on: { click: () => show(shown + PAGE).catch((error) => notice(error.message)) } }, "Show more");
}
