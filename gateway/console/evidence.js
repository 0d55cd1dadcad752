// What the outcome of a part in a job rests on, in words, and as the API says it.

import { el, when } from "./dom.js";

const owners = (number) => `${number === 0 ? "no other owner" : number === 1 ? "1 other owner" : `${number} other owners`}`;
const small = (number) => (number === 0 ? "0" : Math.abs(number) < 0.0001 ? number.toExponential(1) : String(Number(number.toFixed(4))));
const allowed = (limit) => (typeof limit === "number" ? `; ${small(limit)} is allowed` : "");
/** As far off as numbers go: what the sampling would never draw. */
const margin = (logits) => (logits > 1e30 ? "never drawn there" : `${small(logits)} logits`);

/** 0, 1, 2, 5 as "0–2, 5". */
function ranges(positions) {
  const parts = [];
  for (const at of positions) {
    const last = parts.at(-1);
    if (last && last[1] === at - 1) last[1] = at;
    else parts.push([at, at]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : to === from + 1 ? `${from}, ${to}` : `${from}–${to}`)).join(", ");
}

function pairs(found) {
  const fault = found.first_fault;
  return [
    typeof found.equal_owners === "number" ? ["The same answer", `from ${owners(found.equal_owners)}${found.answers_judged > 1 ? `, of ${found.answers_judged - 1} that answered` : ""}`] : null,
    typeof found.equal_owners === "number" ? ["Positions checked", found.positions_drawn?.length ? ranges(found.positions_drawn) : "none: the model was not asked"] : null,
    fault ? ["First fault", `position ${fault.position}: token ${fault.claimed} was sent, the model draws ${fault.own}`] : null,
    typeof found.largest_margin === "number" ? ["Largest margin", `${margin(found.largest_margin)}${allowed(found.margin_allowed)}`] : null,
    typeof found.sigma2 === "number" ? ["The whole answer", `off by ${small(found.sigma2)}${allowed(found.sigma2_allowed)}`] : null,
    typeof found.logit_difference === "number" ? ["Logits", `off by ${small(found.logit_difference)} on average${allowed(found.logit_difference_allowed)}`] : null,
    typeof found.logprob_difference === "number" ? ["Log probabilities", `off by ${small(found.logprob_difference)}${allowed(found.margin_allowed)}`] : null,
    typeof found.vector_difference === "number" ? ["Vectors", `a component is off by ${small(found.vector_difference)}${allowed(found.vector_difference_allowed)}`] : null,
    typeof found.elapsed_ms === "number" ? ["Timing", `${typeof found.first_token_ms === "number" ? `first token after ${found.first_token_ms} ms, ` : ""}last word after ${found.elapsed_ms} ms`] : null,
  ].filter(Boolean);
}

/** Where an audit found the answer at fault after the job had ended: when, what, and how the job had been settled. */
const before = (audit) => (audit ? [
  ["Audited", `${when(audit.at_ms)}: ${audit.found.replaceAll("_", " ")}${audit.refuted ? "; the client's answer is refuted" : ""}`],
  ["Settled before as", `${audit.settled_outcome.replaceAll("_", " ")}: ${audit.settled_reason}`],
] : []);

/** `part` names it among the parts on the page. */
export function evidence(row, nodeName, part) {
  const facts = [...before(row.late_audit), ...pairs(row.evidence ?? {}), ["Job", el("span", { class: "mono" }, row.job_id)], ["Node", [`${nodeName} `, el("span", { class: "mono" }, row.node_id)]], ["Round", String(row.round)]];
  const json = JSON.stringify(row.evidence, null, 2).replace(/\[[^[\]{}]*\]/g, (list) => list.replace(/\s+/g, " "));
  return [
    el("dl", { class: "pairs" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]).flat()),
    el("details", { "data-part": `${part} json` }, el("summary", {}, "As JSON"), el("pre", { tabindex: "0", "aria-label": "Evidence as JSON" }, json)),
  ];
}
