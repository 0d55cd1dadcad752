// What is thought of an operator's nodes, and how it came to that: drawn, and as a table for those who cannot see it.

import { call } from "./api.js";
import { el, svg, table, tag, when } from "./dom.js";
import { PAGE, notAll } from "./lists.js";

/** What a node starts with, and from where on it may serve alone. */
const NEWCOMER = 0.05, PROVEN = 0.9;
const WIDTH = 400, HEIGHT = 120;

/** A newcomer's first steps are small. */
const sum = (weight) => weight.toFixed(weight < 1 ? 3 : 1);
const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;

export async function reputation() {
  // A call for each node, and somebody with many may not call without end.
  const { data: nodes, next } = await call("GET", `/operator/v1/nodes?limit=${PAGE}`);
  const histories = await Promise.all(nodes.map(async (node) => (await call("GET", `/operator/v1/nodes/${node.id}/reputation?limit=200`)).data));
  return [
    el("div", {}, el("h1", {}, "Reputation"), el("p", { class: "lead" }, "Correctness is the share of good answers that checks have proven. It starts low and decides how often a node is checked and whether it may serve alone. A check counts for more the harder its answer was to guess.")),
    el("div", { class: "two" }, nodes.length ? nodes.map((node, at) => record(node, histories[at])) : el("p", { class: "hint" }, "No nodes yet.")),
    ...notAll(nodes, next),
  ];
}

function record(node, history) {
  return el("article", { class: "sheet", "aria-label": node.name },
    el("div", { class: "between" }, el("h2", {}, node.name), tag(node.state)),
    node.reputation.map((row) => withModel(node, row, history.filter((check) => check.model === row.model).reverse())));
}

/** `checks`: the oldest first. */
function withModel(node, row, checks) {
  return el("section", { class: "record", "aria-label": `${node.name} with ${row.model}` },
    el("div", { class: "between" }, el("h3", {}, row.model), el("span", {}, `correctness ${percent(row.correctness)}`)),
    el("div", { class: "meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": (row.correctness * 100).toFixed(1), "aria-label": `Correctness with ${row.model}` },
      bar(row.correctness)),
    el("p", { class: "hint" }, `${row.proven ? "May serve alone. " : ""}${sum(row.passes)} checks passed and ${sum(row.failures)} failed, by weight; older ones fade.`),
    checks.length ? drawn(row, checks) : el("p", { class: "hint" }, "No check has counted yet."));
}

function drawn(row, checks) {
  const first = checks[0], last = checks.at(-1);
  const failed = checks.filter((check) => !check.passed).length;
  // The very first check, and nothing known before it: it began as a newcomer.
  const began = first.number === 1 && first.passes + first.failures <= 1 ? [NEWCOMER] : [];
  const heights = [...began, ...checks.map((check) => check.correctness)];
  const words = `From ${percent(heights[0])} to ${percent(last.correctness)} over ${checks.length} check${checks.length === 1 ? "" : "s"} since ${when(first.at_ms)}, ${failed} failed.`;
  return el("figure", {},
    el("div", { class: "chart" }, el("div", { class: "scale", "aria-hidden": "true" }, el("span", {}, "100 %"), el("span", {}, "0")),
      chart(heights, checks.map((check, at) => (check.passed ? -1 : at + began.length)).filter((at) => at >= 0), `Correctness with ${row.model}: ${words}`)),
    el("figcaption", { class: "hint" }, words, failed ? " Red: a failed check." : null, row.proven ? null : " Dashes: from here on it may serve alone."),
    el("details", {}, el("summary", {}, "As a table"),
      table(`History with ${row.model}`, [["When"], ["Check"], ["Weight", true], ["Correctness", true]],
        [...checks].reverse().map((check) => [when(check.at_ms), tag(check.passed ? "passed" : "failed"), check.weight > 0 && check.weight < 0.0005 ? "< 0.001" : check.weight.toFixed(3), percent(check.correctness)]), "")));
}

/** Steps from left to right; `faults` are places among them. */
function chart(heights, faults, words) {
  const x = (at) => (heights.length === 1 ? WIDTH / 2 : (at * WIDTH) / (heights.length - 1)).toFixed(1);
  const y = (share) => (HEIGHT - share * HEIGHT).toFixed(1);
  const line = (kind, x1, y1, x2, y2) => svg("line", { class: kind, x1, y1, x2, y2 });
  const points = heights.map((share, at) => `${x(at)},${y(share)}`);
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": words },
    line("grid", 0, y(PROVEN), WIDTH, y(PROVEN)),
    faults.map((at) => line("fault", x(at), 0, x(at), HEIGHT)),
    points.length === 1 ? line("dot", x(0), y(heights[0]), x(0), y(heights[0])) : svg("polyline", { class: "line", points: points.join(" ") }));
}

function bar(share) {
  const fill = el("i");
  // By script, because the page's policy allows no inline styles in markup.
  fill.style.width = `${Math.max(1, share * 100)}%`;
  return fill;
}
