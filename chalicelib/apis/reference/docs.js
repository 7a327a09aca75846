// The page /docs: shows the description of all desks, or of the one that the query names, and signs what is tried.
import { signed } from "./signing.js";

const base = new URL("./", location.href);
const input = (id) => document.getElementById(id).value.trim();
const domain = () => ({ chainId: input("chain-id"), verifyingContract: input("verifying-contract") });
const desks = ["book", "trade", "taker", "escrow"];
const desk = new URLSearchParams(location.search).get("desk");
const isOneDesk = desks.includes(desk);

document.getElementById("makers").hidden = isOneDesk && desk !== "taker";
for (const link of document.querySelectorAll("nav a")) {
  if (link.getAttribute("href") === (isOneDesk ? `docs?desk=${desk}` : "docs")) link.setAttribute("aria-current", "page");
}

SwaggerUIBundle({
  url: new URL(isOneDesk ? `openapi/${desk}.json` : "openapi.json", base).href,
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: isOneDesk ? "list" : "none",
  filter: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  validatorUrl: null,
  requestInterceptor: (request) => (request.loadSpec ? request : signed(request, base, domain())),
});
