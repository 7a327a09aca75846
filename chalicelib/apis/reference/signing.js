// Signs requests of the trade and the taker desk in the browser, where a secret stands in the place of a signature:
// by WebCrypto where a header has it, as a wallet does where the body's member `signature` has a private key.

const text = new TextEncoder();
const PRIVATE_KEY = /^0x[0-9a-fA-F]{64}$/;

async function hmac(secret, message) {
  if (!crypto.subtle) throw new Error("A browser signs pages of https addresses and of this machine alone.");
  const key = await crypto.subtle.importKey("raw", text.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, text.encode(message));
  return btoa(String.fromCharCode(...new Uint8Array(signature)));
}

// The headers of each desk, and what is signed. path: without the prefix of the deployment; query: as sent.
const schemes = [
  {
    path: /^\/(trade|v4)\//,
    timestamp: "Timestamp",
    signature: "Signature",
    message: ({ timestamp, method, path, body }) => timestamp + method + path.replace(/\/$/, "") + (method === "GET" ? "" : body),
  },
  {
    path: /^\/api\/v1\//,
    timestamp: "X-API-Timestamp",
    signature: "X-API-Signature",
    message: ({ timestamp, method, path, query, body }) => [method, path, timestamp, method === "GET" ? query : body].join("|"),
  },
];

// Take a header out of a request, whatever the case of its name, and return its value.
function taken(headers, name) {
  const found = Object.keys(headers).find((one) => one.toLowerCase() === name.toLowerCase());
  const value = found && headers[found];
  if (found) delete headers[found];
  return value;
}

// Return a body that a wallet has signed, if its member `signature` is a private key; else the body as it is.
async function signedByWallet(body, domain) {
  let members;
  try {
    members = JSON.parse(body);
  } catch {
    return body;
  }
  if (!PRIVATE_KEY.test(members?.signature)) return body;
  const { signedConnect, signedOrder } = await import("./wallet.js");
  return JSON.stringify(await (members.order ? signedOrder(members, domain) : signedConnect(members, domain)));
}

// Return a request with signatures in the place of secrets; as it is if it has none, or goes to another desk.
// base: the address of the deployment, with a slash at its end. domain: of EIP-712, {chainId, verifyingContract}.
export async function signed(request, base, domain) {
  const url = new URL(request.url, base);
  const path = url.pathname.slice(base.pathname.length - 1);
  const scheme = schemes.find((one) => one.path.test(path));
  if (url.origin !== base.origin || !scheme) return request;
  const secret = taken(request.headers, scheme.signature);
  if (typeof request.body === "string" && path.startsWith("/api/v1/")) request.body = await signedByWallet(request.body, domain);
  if (!secret) return request;
  taken(request.headers, scheme.timestamp);
  const timestamp = String(Date.now());
  const signing = { timestamp, method: request.method.toUpperCase(), path, query: url.search.slice(1), body: request.body ?? "" };
  request.headers[scheme.timestamp] = timestamp;
  request.headers[scheme.signature] = await hmac(secret, scheme.message(signing));
  return request;
}
