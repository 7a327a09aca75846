// Requests to the service, and what is not a success: a refusal, or no answer.

import { parseJson } from "./decimals.js";

const ANSWER_MS_MAX = 30_000;

/** An answer that is no success. code: the desk's own, or the status; message: its words, where it has some. */
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message ?? `The service answers with status ${status}.`);
    Object.assign(this, { status, code });
  }
}

/** No answer: whether a write was carried out is not known. */
export class NoAnswer extends Error {}

/** Return a signal that ends a request which has not been answered in time. */
export const inTime = () => AbortSignal.timeout(ANSWER_MS_MAX);

/** Send a request. Return {response, answer}: whatever its status, the answer's JSON with numbers as texts. signal: ends
    the wait; null: wait until the connection ends. */
export async function send(url, method, headers, body = "", signal = inTime()) {
  if (Object.values(headers).some((value) => /[^\x20-\x7e]/.test(value))) {
    throw new Refusal(0, 0, "A credential has characters that no request can carry: copy it anew.");
  }
  const sent = body ? { "Content-Type": "application/json", ...headers } : headers;
  try {
    const response = await fetch(url, { method, headers: sent, body: body || undefined, signal, cache: "no-store" });
    return { response, answer: parseJson(await response.text()) };
  } catch (error) {
    throw new NoAnswer(error.name === "SyntaxError" ? "The answer is no JSON." : "The service does not answer.");
  }
}

/** Return a function that signs a text: HMAC-SHA256 under the secret, in base64. */
export function signerOf(secret) {
  const encoder = new TextEncoder();
  const kind = { name: "HMAC", hash: "SHA-256" };
  const key = crypto.subtle.importKey("raw", encoder.encode(secret), kind, false, ["sign"]);
  return async (text) => btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.sign("HMAC", await key, encoder.encode(text)))));
}

/** Return base, a desk's path and a query as a URL; base keeps a stage's prefix. */
export function urlOf(base, path, query = {}) {
  const url = new URL(base.href.replace(/\/$/, "") + path);
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== "") url.searchParams.set(name, value);
  return url;
}
