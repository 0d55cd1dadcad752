// An operator's machines: where each stands, tokens for new ones, and what each did in every job.

import { call } from "./api.js";
import { copyable, credits, el, form, notice, sentence, table, tag, watch, when } from "./dom.js";
import { evidence } from "./evidence.js";
import { PAGE, more, notAll } from "./lists.js";

const jobCount = (number) => `${number} job${number === 1 ? "" : "s"}`;

export async function nodes(stillHere) {
  const list = el("section", { class: "two", "aria-label": "Nodes" });
  const { trouble } = await watch(stillHere, () => call("GET", "/operator/v1/nodes"), ({ data, next }) =>
    list.replaceChildren(...(data.length ? data.map(card) : [el("p", { class: "hint" }, "No nodes yet. Make a token and enrol your first machine.")]), ...notAll(data, next)));
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
    el("p", { class: "hint" }, [sentence(node.reason), node.gets_jobs || node.jobs_now.remedy === "Nothing." ? "" : node.jobs_now.remedy].filter(Boolean).join(" ")),
    el("dl", { class: "pairs" },
      el("dt", {}, "Serves"), el("dd", {}, models || "nothing"),
      el("dt", {}, "Running now"), el("dd", {}, jobCount(node.jobs_running)),
      node.until_ms ? [el("dt", {}, "Until"), el("dd", {}, when(node.until_ms))] : null,
      node.state === "offline" && node.last_seen_ms ? [el("dt", {}, "Last seen"), el("dd", {}, when(node.last_seen_ms))] : null,
      node.immature_nano > 0 ? [el("dt", {}, "At stake"), el("dd", {}, `${credits(node.immature_nano)} credits: not mature yet, and lost if it is proven to cheat`)] : null,
      node.forfeits.length ? [el("dt", {}, "Forfeited"), el("dd", {}, `${credits(node.forfeits.reduce((sum, one) => sum + one.to_clients_nano + one.to_reserve_nano, 0))} credits`)] : null,
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
      copyable(`node-agent enrol --gateway ${location.origin} --token ${token.token}\nnode-agent run --model MODEL_FOLDER`, "Commands")));
    title.focus();
  },
  el("h2", {}, "Enrol a machine"),
  el("p", { class: "hint" }, "It connects out, so it works behind a home router. Nobody connects to it."),
  el("button", {}, "Make an enrolment token"));
  return node;
}

export async function jobs(stillHere) {
  const running = el("section", { class: "sheet", "aria-label": "Running now" });
  const list = el("section", { class: "sheet", "aria-label": "Jobs that have ended" });
  const filter = el("select", { "aria-label": "Which jobs" }, el("option", { value: "" }, "All jobs"), el("option", { value: "&pay=paid" }, "Paid"), el("option", { value: "&pay=unpaid" }, "Not paid"));
  let shown = PAGE;
  const read = async () => {
    const wanted = filter.value;
    const [nodes, now, jobs] = await Promise.all([call("GET", "/operator/v1/nodes"), call("GET", "/operator/v1/jobs/running"), call("GET", `/operator/v1/jobs?limit=${shown}${wanted}`)]);
    return { wanted, now, named: nodes.data.map(({ id, name }) => [id, name]), rows: jobs.data, next: jobs.next };
  };
  const { look, trouble } = await watch(stillHere, read, ({ wanted, now, named, rows, next }) => {
    if (wanted !== filter.value) return;
    const names = new Map(named);
    keepingOpen(running, () => running.replaceChildren(el("h2", {}, "Running now"), ...live(now, names)));
    keepingOpen(list, () => list.replaceChildren(...[el("h2", {}, "Ended"), table("Jobs of your nodes", [["When"], ["Job"], ["Outcome"], ["Tokens", true], ["Pay", true]], rows.map((row) => part(row, names)),
      wanted ? "None of these." : "No jobs yet. They come as soon as somebody asks for a model that your nodes serve."),
    more(next, shown, "/operator/v1/jobs", (wider) => {
      shown = wider;
      return look();
    })].filter(Boolean)));
  });
  filter.addEventListener("change", () => look().catch((error) => notice(error.message)));
  return [
    el("div", { class: "between" }, el("div", {}, el("h1", {}, "Jobs"), el("p", { class: "lead" }, "Every part that your nodes had in a job: paid or not, why, and what that rests on.")),
      el("div", {}, filter)),
    trouble, running, list,
  ];
}

/** What is at work right now; whether it is paid is not known before the verdict. */
function live({ data, total }, names) {
  const rows = data.map((job) => [when(job.since_ms), named(job, job.kind, names), String(job.tokens)]);
  return [
    table("Jobs that run", [["Since"], ["Job"], ["Tokens so far", true]], rows, "Nothing right now."),
    total > data.length ? el("p", { class: "hint" }, `These are the last ${data.length} of ${jobCount(total)}.`) : null,
  ].filter(Boolean);
}

/** A job by its id, what is done in it, and where. */
const named = (row, kind, names) => [
  el("span", { class: "mono", title: row.job_id }, row.job_id.slice(-8)),
  el("span", { class: "hint" }, kind === "score" ? "scores others" : row.model),
  names.size > 1 ? el("span", { class: "hint" }, names.get(row.node_id) ?? "a node") : null,
];

/** Draws anew; what somebody has opened to read stays open, and where the focus was it is again. */
function keepingOpen(place, draw) {
  const region = document.activeElement?.matches("[role=region]") && place.contains(document.activeElement);
  const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.part));
  const focused = document.activeElement?.closest("details")?.dataset.part;
  const wanted = place.contains(document.activeElement) && document.activeElement.matches("button.more");
  draw();
  if (region) place.querySelector("[role=region]")?.focus({ preventScroll: true });
  if (wanted) (place.querySelector("button.more") ?? place.querySelector("[tabindex]")).focus({ preventScroll: true });
  for (const one of place.querySelectorAll("details")) {
    one.open = open.has(one.dataset.part);
    if (one.dataset.part === focused) one.querySelector("summary").focus({ preventScroll: true });
  }
}

function part(row, names) {
  const name = names.get(row.node_id) ?? "a node";
  const key = `${row.job_id} ${row.node_id} ${row.round} ${row.role}`;
  return [
    when(row.ended_ms), named(row, row.role, names),
    [tag(row.outcome), el("span", { class: "hint" }, sentence(row.reason)),
      el("details", { "data-part": key }, el("summary", {}, row.pay_nano > 0 ? "Evidence" : "Why, and the evidence"),
        el("p", { class: "hint" }, `${row.meaning} ${row.remedy === "Nothing." ? "" : row.remedy}`), evidence(row, name, key))],
    String(row.tokens), credits(row.pay_nano),
  ];
}
