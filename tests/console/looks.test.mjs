// For everybody: by keyboard alone, with a screen reader, light and dark, on a phone's width and a desk's.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { before, test } from "node:test";
import { focused, paleTexts } from "./pages.mjs";
import { WIDTHS, asClient, asOperator, askUntil, go, hasEarned, heading, nodeOf, open, ready, runningJob, useBrowser, wasCaught, withRunning } from "./support.mjs";

useBrowser();
const shots = process.env.ASSAY_SHOTS_DIR;
const worker = nodeOf("worker");
const STOPS_MAX = 200;
const ROLES = ["button", "link", "textbox", "combobox", "tab", "checkbox", "region", "meter", "img", "DisclosureTriangle"];

before(async () => {
  if (shots) mkdirSync(shots, { recursive: true });
  await askUntil(worker, hasEarned);
  await askUntil(nodeOf("cheat"), wasCaught);
});

/** Nothing that a screen reader stops at is without a name. */
async function allNamed(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const wanted = nodes.filter((node) => !node.ignored && ROLES.includes(node.role?.value));
  assert.ok(wanted.length > 2, "there is something to look at");
  assert.deepEqual(wanted.filter((node) => !node.name?.value?.trim()).map((node) => node.role.value), []);
  assert.equal(await page.locator("h1").count(), 1);
  await session.detach();
}

/** Goes through the page with Tab: every stop can be seen, and all that can be used is a stop. */
async function tabThrough(page) {
  await page.evaluate(() => document.activeElement.blur());
  const stops = new Set();
  for (let presses = 0; presses < STOPS_MAX; presses += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(focused);
    // Behind the last stop is the browser's own, and then the first.
    if (!stop) continue;
    if (stops.has(stop.at)) break;
    assert.ok(stop.seen, `the focus cannot be seen: ${stop.what}`);
    stops.add(stop.at);
  }
  const missed = await page.evaluate((stops) => {
    const all = [...document.querySelectorAll("*")];
    const usable = all.filter((node) => node.matches("a[href], button, input, select, textarea, summary") && node.checkVisibility() && !node.disabled && node.tabIndex >= 0);
    return usable.filter((node) => !stops.includes(all.indexOf(node))).map((node) => node.outerHTML.slice(0, 80));
  }, [...stops]);
  assert.deepEqual(missed, []);
}

/** Tab until this has the focus. */
async function tabTo(page, name) {
  for (let presses = 0; presses < STOPS_MAX; presses += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((name) => (document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent).startsWith(name), name)) return;
  }
  assert.fail(`${name} is not reached by keyboard`);
}

async function byKeyboard(page, names) {
  for (const name of names) {
    await tabTo(page, name);
    await page.keyboard.press("Enter");
    await heading(page, name);
    await allNamed(page);
    await tabThrough(page);
  }
}

test("a client needs no mouse", async () => {
  const { page, close } = await open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await allNamed(page);
  await tabTo(page, "API key");
  await page.keyboard.type(ready.api_key);
  await page.keyboard.press("Enter");
  await heading(page, "Playground");
  await tabTo(page, "Send");
  await page.keyboard.press("Enter");
  await page.getByText("Owners that agree").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Send", "the focus stays where it was");
  await byKeyboard(page, ["Credit", "Usage", "Playground"]);
  await close();
});

test("an operator needs no mouse", async () => {
  const { page, close } = await open();
  await tabTo(page, "I build apps");
  await page.keyboard.press("ArrowRight");
  await allNamed(page);
  await tabTo(page, "Operator secret");
  await page.keyboard.type(worker.operator_secret);
  await page.keyboard.press("Enter");
  await heading(page, "Nodes");
  await byKeyboard(page, ["Jobs", "Earnings", "Reputation", "Nodes", "Jobs"]);
  await tabTo(page, "Evidence");
  await page.keyboard.press("Enter");
  await page.getByText("Largest margin").first().waitFor();
  await tabTo(page, "Sign out");
  await page.keyboard.press("Enter");
  await page.getByLabel("Operator secret").waitFor();
  await close();
});

for (const [width, viewport] of Object.entries(WIDTHS)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`nothing overflows and everything can be read: ${width}, ${colorScheme}`, async () => {
      const { page, close } = await open({ viewport, colorScheme });
      const look = async (name) => {
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${name} is ${over} px too wide`);
        assert.deepEqual(await page.evaluate(paleTexts), [], name);
        if (shots) await page.screenshot({ path: `${shots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
      };
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
      await look("welcome");
      await asClient(page);
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByText("Owners that agree").waitFor();
      await look("playground");
      for (const name of ["Credit", "Usage"]) {
        await go(page, name);
        await look(name.toLowerCase());
      }
      await page.getByRole("button", { name: "Sign out" }).click();
      await asOperator(page, worker.operator_secret);
      await page.getByRole("button", { name: "Make an enrolment token" }).click();
      await page.getByText("The token is good for one node").waitFor();
      await look("nodes");
      await withRunning(page, () => ({ data: [runningJob("22222222", { kind: "score" }), runningJob("11111111", { tokens: 137 })], total: 2 }));
      await go(page, "Jobs");
      await page.getByText("Evidence", { exact: true }).first().click();
      await look("jobs");
      await go(page, "Earnings");
      await look("earnings");
      await go(page, "Reputation");
      await page.getByText("As a table").first().click();
      await look("reputation");
      await page.getByRole("button", { name: "Sign out" }).click();
      await look("operators");
      await asOperator(page, nodeOf("cheat").operator_secret);
      for (const name of ["Jobs", "Reputation"]) {
        await go(page, name);
        await look(`cheat-${name.toLowerCase()}`);
      }
      await close();
    });
  }
}
