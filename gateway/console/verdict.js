// What an answer's `x_assay` says, in words: how far the answer can be relied on. Nothing is said that it does not say.

import { el, label } from "./dom.js";

/** How the end of an answer is shown: its word, the tag's colour. The piece's class is the grade's name. */
const GRADES = {
  agreed: ["agreed", "good"],
  trusted: ["trusted", "wait"],
  verified: ["spot-checked", "good"],
  unverified: ["unverified", "bad"],
  broken: ["broken off", "bad"],
  stopped: ["stopped", "wait"],
};

const owners = (number) => `${number} owner${number === 1 ? "" : "s"}`;

/** The grade that a verdict amounts to, and a sentence. `null`: the answer ended without one. */
export function judge(verdict) {
  if (!verdict) return ["unverified", "The answer ended without a verdict: nobody stands for it."];
  const agreed = `${owners(verdict.nodes_agreed)} of ${verdict.nodes_asked} asked gave exactly this answer`;
  const checked = verdict.positions_checked > 0;
  const model = checked ? `the model itself was asked at ${verdict.positions_checked} positions and says the same.` : "the model itself was not asked.";
  switch (verdict.rule) {
    case "agreement":
      return [checked ? "verified" : "agreed", `${agreed} and nobody gave another one; ${model}`];
    case "majority":
      return [checked ? "verified" : "agreed", `${agreed}, more than any other; ${model}`];
    case "spot_checks":
      return checked ? ["verified", `No two owners stand for it; ${model}`] : ["unverified", "It was to be checked against the model, and was not."];
    case "trusted":
      return ["trusted", "One proven node gave it, and nobody looked at this answer. Its record is what stands for it."];
    default:
      return ["unverified", `The gateway says “${verdict.rule}”, which this page does not know.`];
  }
}

export const STOPPED = ["stopped", "You stopped it, so there is no verdict. What was agreed by then is charged."];
export const broken = (why) => ["broken", `${why} Do not rely on what was shown.`];

export const gradeTag = (grade) => label(GRADES[grade][1], GRADES[grade][0]);

/** The same for a row of a table. */
export function inShort(verdict) {
  const [grade] = judge(verdict);
  return [gradeTag(grade), el("span", { class: "hint" }, `${verdict.nodes_agreed} of ${verdict.nodes_asked} agreed`)];
}

/** Everything that there is to say at the end of an answer. */
export function report([grade, sentence], verdict, usage, job) {
  const margin = verdict?.largest_margin;
  return [
    el("p", {}, gradeTag(grade), " ", sentence),
    el("dl", { class: "pairs" },
      verdict ? [
        el("dt", {}, "Owners that agree"), el("dd", {}, `${verdict.nodes_agreed} of ${verdict.nodes_asked}`),
        el("dt", {}, "Positions checked"), el("dd", {}, String(verdict.positions_checked)),
        typeof margin === "number" ? [el("dt", {}, "Largest margin"), el("dd", {}, `${margin} logits`)] : [],
        verdict.audited ? [el("dt", {}, "Audit"), el("dd", {}, "drawn by lot and done")] : [],
      ].flat() : null,
      usage ? [el("dt", {}, "Tokens"), el("dd", {}, `${usage.prompt_tokens} in, ${usage.completion_tokens} out`)] : null,
      job ? [el("dt", {}, "Job"), el("dd", { class: "mono" }, job)] : null),
  ];
}
