// An operator's machines: where each stands, tokens for new ones, and what each did in every job.

import { call } from "./api.js";
import { credits, el, form, notice, table, tag, watch, when } from "./dom.js";

export async function nodes(stillHere) {
  const list = el("section", { class: "two", "aria-label": "Nodes" });
  const { trouble } = await watch(stillHere, async () => (await call("GET", "/operator/v1/nodes")).data, (rows) =>
    list.replaceChildren(...(rows.length ? rows.map(card) : [el("p", { class: "hint" }, "No nodes yet. Make a token and enrol your first machine.")])));
  return [
    el("div", {}, el("h1", {}, "Nodes"), el("p", { class: "lead" }, "Where each of your machines stands, and why it gets jobs or none right now.")),
    trouble, list, enrolment(),
  ];
}

function card(node) {
  const models = node.serves.map((served) => `${served.model}${served.matches_manifest ? "" : " (not hosted here)"}`).join(", ");
  return el("article", { class: "sheet", "aria-label": node.name },
    el("div", { class: "between" }, el("h2", {}, node.name), tag(node.state)),
    el("p", {}, node.jobs_now.meaning),
    el("p", { class: "hint" }, node.gets_jobs ? node.reason : `${node.reason ? `${node.reason}. ` : ""}${node.jobs_now.remedy}`),
    el("dl", { class: "pairs" },
      el("dt", {}, "Serves"), el("dd", {}, models || "nothing"),
      el("dt", {}, "Running now"), el("dd", {}, `${node.jobs_running} job${node.jobs_running === 1 ? "" : "s"}`),
      node.performance ? [el("dt", {}, "Speed"), el("dd", {}, `${Math.round(node.performance.ms_per_token)} ms a token, ${Math.round(node.performance.first_token_ms)} ms to the first`),
        el("dt", {}, "Reliability"), el("dd", {}, `${(node.performance.reliability * 100).toFixed(1)} %`)] : null,
      el("dt", {}, "Node"), el("dd", { class: "mono" }, node.id)));
}

function enrolment() {
  const node = form(async () => {
    const token = await call("POST", "/operator/v1/enrolment-tokens", {});
    const title = el("h2", { tabindex: "-1" }, "Enrol a machine");
    node.replaceWith(el("section", { class: "sheet" }, title,
      el("p", { class: "hint" }, `On the machine, before ${when(token.expires_ms)}. The token is good for one node and is shown only now.`),
      el("pre", { tabindex: "0", "aria-label": "Commands" }, el("code", {}, `node-agent enrol --gateway ${location.origin} --token ${token.token}\nnode-agent run --model MODEL_FOLDER`))));
    title.focus();
  },
  el("h2", {}, "Enrol a machine"),
  el("p", { class: "hint" }, "It connects out, so it works behind a home router. Nobody connects to it."),
  el("button", {}, "Make an enrolment token"));
  return node;
}

export async function jobs(stillHere) {
  const list = el("section", { class: "sheet" });
  const filter = el("select", { "aria-label": "Which jobs" }, el("option", { value: "" }, "All jobs"), el("option", { value: "&pay=paid" }, "Paid"), el("option", { value: "&pay=unpaid" }, "Not paid"));
  const read = async () => ({ wanted: filter.value, rows: (await call("GET", `/operator/v1/jobs?limit=50${filter.value}`)).data });
  const { look, trouble } = await watch(stillHere, read, ({ wanted, rows }) => {
    if (wanted !== filter.value) return;
    keepingOpen(list, () => list.replaceChildren(table("Jobs of your nodes", [["When"], ["Job"], ["Outcome"], ["Tokens", true], ["Pay", true]], rows.map(part),
      wanted ? "None of these." : "No jobs yet. They come as soon as somebody asks for a model that your nodes serve.")));
  });
  filter.addEventListener("change", () => look().catch((error) => notice(error.message)));
  return [
    el("div", { class: "between" }, el("div", {}, el("h1", {}, "Jobs"), el("p", { class: "lead" }, "Every part that your nodes had in a job: paid or not, why, and what that rests on.")),
      el("div", {}, filter)),
    trouble, list,
  ];
}

/** Draws anew; what somebody has opened to read stays open, and keeps the focus. */
function keepingOpen(place, draw) {
  const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.part));
  const focused = document.activeElement?.closest("details")?.dataset.part;
  draw();
  for (const one of place.querySelectorAll("details")) {
    one.open = open.has(one.dataset.part);
    if (one.dataset.part === focused) one.querySelector("summary").focus({ preventScroll: true });
  }
}

function part(row) {
  return [
    when(row.ended_ms), [el("span", { class: "mono", title: row.job_id }, row.job_id.slice(-8)), el("span", { class: "hint" }, row.role === "score" ? "scored others" : row.model)],
    [tag(row.outcome), el("span", { class: "hint" }, row.reason),
      el("details", { "data-part": `${row.job_id} ${row.node_id} ${row.round} ${row.role}` }, el("summary", {}, row.pay_nano > 0 ? "Evidence" : "Why, and the evidence"),
        el("p", { class: "hint" }, `${row.meaning} ${row.remedy === "Nothing." ? "" : row.remedy}`),
        el("pre", { tabindex: "0", "aria-label": "Evidence" }, JSON.stringify(row.evidence, null, 2)))],
    String(row.tokens), credits(row.pay_nano),
  ];
}
