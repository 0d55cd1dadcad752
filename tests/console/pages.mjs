// Functions that run inside a page: what a stream is held back by, and what people with other eyes and hands need.

/** What a browser keeps back from pages that came without TLS from another machine. */
export function asWithoutTls() {
  delete Crypto.prototype.randomUUID;
}

/** Lets a stream's events through one by one, as a test says: `gate.let(3)`. */
export function gateStreams() {
  const waiting = [];
  let permits = 0;
  window.gate = {
    let(number) {
      permits += number;
      while (permits > 0 && waiting.length) permits--, waiting.shift()();
    },
  };
  const permit = () => new Promise((resolve) => (permits > 0 ? (permits--, resolve()) : waiting.push(resolve)));
  const real = window.fetch;
  window.fetch = async (path, options) => {
    const answer = await real(path, options);
    if (!String(path).includes("/chat/completions") || !answer.ok) return answer;
    const stopped = new Promise((_, reject) => options.signal.addEventListener("abort", () => reject(options.signal.reason)));
    stopped.catch(() => null);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    const body = new ReadableStream({
      async pull(controller) {
        try {
          while (!rest.includes("\n\n")) {
            const { value, done } = await Promise.race([reader.read(), stopped]);
            if (done) return controller.close();
            rest += value;
          }
          await Promise.race([permit(), stopped]);
          const end = rest.indexOf("\n\n") + 2;
          controller.enqueue(rest.slice(0, end));
          rest = rest.slice(end);
        } catch (error) {
          controller.error(error);
        }
      },
    }).pipeThrough(new TextEncoderStream());
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
}

/** Texts whose contrast is less than AA wants. */
export function paleTexts() {
  const light = (color) => {
    const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = color.map((value) => channel(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = parse(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.checkVisibility({ visibilityProperty: true })) continue;
    if (node.closest(":disabled, .unseen, script, style, noscript")) continue;
    const style = getComputedStyle(node);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const [a, b] = [light(parse(style.color).slice(0, 3)), light(behind(node))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (large ? 3 : 4.5)) pale.push(`${contrast.toFixed(2)}: ${walker.currentNode.textContent.trim().slice(0, 40)}`);
  }
  return pale;
}

/** What has the focus: how it would be told from the others, and whether its focus can be seen. */
export function focused() {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const { outlineStyle, outlineWidth } = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  return {
    what: node.outerHTML.slice(0, 80),
    at: [...document.querySelectorAll("*")].indexOf(node),
    seen: (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) && box.width > 0 && box.height > 0,
  };
}
