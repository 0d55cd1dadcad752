// Who is signed in, and calls in their name. Kept for this tab only.

const KEY = "assay.session";
let session = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
let renewal = null;

/** What was refused, in the gateway's words; status 0 when it does not answer at all. */
export class ApiError extends Error {
  constructor(status, body, waitSeconds) {
    const said = body?.error?.message ?? (status ? `The gateway answered ${status}.` : "The gateway does not answer.");
    super(waitSeconds ? `${said} Try again in ${waitSeconds} s.` : said);
    this.status = status;
    this.code = body?.error?.code;
  }

  static async of(answer) {
    return new ApiError(answer.status, await answer.json().catch(() => null), answer.headers.get("retry-after"));
  }
}

export const signedIn = () => session;

export function signIn(next) {
  session = next;
  if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
  else sessionStorage.removeItem(KEY);
}

/** A call; an operator's session is renewed once when it has run out. Only a 401 ends a session, nothing that passes by. */
export async function call(method, path, body, headers = {}) {
  let used = session;
  let answer = await send(method, path, body, headers);
  if (answer.status === 401 && used?.refresh) {
    await renew(used);
    used = session;
    answer = await send(method, path, body, headers);
  }
  if (answer.status === 204) return null;
  if (answer.ok) return answer.json();
  const error = await ApiError.of(answer);
  if (answer.status === 401) ended(used);
  throw error;
}

export async function send(method, path, body, headers = {}, signal) {
  const all = { ...headers };
  const bearer = session?.key ?? session?.token;
  if (bearer) all.authorization = `Bearer ${bearer}`;
  if (body !== undefined) all["content-type"] = "application/json";
  try {
    return await fetch(path, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    throw error.name === "AbortError" ? error : new ApiError(0);
  }
}

/** Names one wish, so that asking for it again asks for nothing more. Browsers have this away from localhost without TLS, too. */
export const wishKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Two calls at once must not use one refresh token twice. */
function renew(used) {
  if (session !== used) return renewal;
  renewal ??= (async () => {
    const answer = await send("POST", "/operator/v1/refresh", { refresh_token: used.refresh });
    if (!answer.ok) {
      const error = await ApiError.of(answer);
      if (answer.status === 401) ended(used);
      throw error;
    }
    const next = await answer.json();
    signIn({ ...used, token: next.token, refresh: next.refresh_token });
  })().finally(() => (renewal = null));
  return renewal;
}

/** Signs out, and tells the page, unless somebody else has signed in meanwhile. */
function ended(used) {
  if (!used || session !== used) return;
  signIn(null);
  dispatchEvent(new CustomEvent("session-ended", { detail: used.kind }));
}
