// The console's page: chooses the market, holds what is known of it, and draws it.

import { Candles, DepthChart } from "./charts.js";
import { forPeople, isPositive } from "./decimals.js";
import { EscrowApi, EscrowOrders } from "./escrow.js";
import { Ladder } from "./ladder.js";
import { Live } from "./live.js";
import { Orders } from "./orders.js";
import { byId, make, onceAFrame, row, say, timeOf } from "./page.js";
import { NoAnswer, Refusal, send } from "./send.js";
import { SignedOrders, TakerApi } from "./signed.js";
import { Ticket } from "./ticket.js";
import { TradeApi } from "./trade_api.js";
import { noReading } from "./words.js";

const TRADES_SHOWN = 40;
const CHART_LEVELS = 100;
const TRADES_READ = 1_000;
const AGAIN_MS = 2_000;

const base = new URL(".", location.href);
base.hash = base.search = "";
let api = new TradeApi(base);
let takerApi = null;
let escrowApi = null;
let settings = { websocket: null };
let markets = [];
let market = null;
let live = null;
let depth = null;
let heardMs = null;
let accountReads = 0;
let accountRead = null;
let mode = { mode: "connecting" };
let changed = new Set();
const triesAgain = new Map();
const balances = new Map();

const now = () => ({ api, market, balances, depth });
const ladder = new Ladder((price) => ticket.takePrice(price));
const ticket = new Ticket(now, accountChanged);
const orders = new Orders(now);
const views = {
  market: { show() {}, hide() {} },
  signed: new SignedOrders(() => takerApi),
  escrow: new EscrowOrders(() => escrowApi),
};
const candles = new Candles(byId("candles"), byId("candles-said"));
const depthChart = new DepthChart(byId("depth"), byId("depth-said"));

const drawDepth = onceAFrame(() => {
  if (!depth || !market) return;
  ladder.draw(depth, changed, market.quote);
  changed = new Set();
  depthChart.draw(depth.best("bids", CHART_LEVELS), depth.best("asks", CHART_LEVELS), market.base);
});
const drawCandles = onceAFrame(() => candles.draw());

const on = {
  state(next) {
    mode = next;
    showLiveness();
  },
  depth(next, prices) {
    depth = next;
    heardMs = Date.now();
    for (const price of prices) changed.add(price);
    drawDepth();
  },
  trade(trade) {
    heardMs = Date.now();
    byId("tape").prepend(tradeRow(trade));
    while (byId("tape").children.length > TRADES_SHOWN) byId("tape").lastChild.remove();
    candles.add(trade);
    drawCandles();
  },
  ticker(ticker) {
    heardMs = Date.now();
    showSummary(ticker);
  },
  begins: () => quietly(readTrades),
  account: onceAFrame(() => quietly(accountChanged)),
};

async function readTrades() {
  const asked = market;
  const { trades } = await api.get("/public/trades", { pair: asked.symbol, page_size: TRADES_READ });
  if (asked !== market) return;
  byId("tape").replaceChildren(...trades.slice(0, TRADES_SHOWN).map(tradeRow));
  candles.begin(trades);
}

function tradeRow({ timestamp, price, amount, taker_side: side }) {
  return row(
    timeOf(Number(timestamp)),
    make("td", { className: `number ${side}` }, forPeople(price)),
    make("td", { className: "number" }, forPeople(amount)),
  );
}

function showSummary(ticker) {
  const { quote, base: code } = market;
  const change = ticker.price_change_percent_24h;
  const direction = isPositive(change) ? "buy" : change.startsWith("-") ? "sell" : "";
  const shown = {
    Last: [`${forPeople(ticker.last)} ${quote}`, direction],
    "24 hours": [`${direction === "buy" ? "+" : ""}${change} %`, direction],
    High: [forPeople(ticker.high)],
    Low: [forPeople(ticker.low)],
    Volume: [`${forPeople(ticker.volume)} ${code}`],
    Trading: ticker.is_frozen ? ["Paused or halted", "sell"] : ["Open", "buy"],
  };
  byId("summary").replaceChildren(
    ...Object.entries(shown).map(([name, [text, className = ""]]) => make("div", {}, make("dt", {}, name), make("dd", { className }, text))),
  );
}

/** Read balances and open orders again. Return the balances, by code. */
function accountChanged() {
  accountRead = readAccount();
  return accountRead;
}

async function readAccount() {
  const asked = (accountReads += 1);
  if (!api.signer) await orders.refresh();
  if (!api.signer || !market) return null;
  const [rows] = await Promise.all([api.get("/user/balances"), orders.refresh()]);
  if (asked !== accountReads) return accountRead; // a later one, which tells more
  balances.clear();
  for (const one of rows) balances.set(one.currency_code, { available: one.available_amount, held: one.locked_amount });
  const own = (code) => (code === market.base || code === market.quote ? 0 : 1);
  byId("balances").replaceChildren(
    ...[...balances].sort(([a], [b]) => own(a) - own(b)).map(([code, { available, held }]) =>
      row(make("th", { scope: "row" }, code), make("td", { className: "number" }, forPeople(available)),
        make("td", { className: "number" }, forPeople(held)))),
  );
  ticket.show();
  return balances;
}

function showLiveness() {
  const age = heardMs === null ? "" : ` Data of ${Math.round((Date.now() - heardMs) / 1000)} s ago.`;
  const due = mode.dueMs ? ` again in ${Math.max(0, Math.ceil((mode.dueMs - Date.now()) / 1000))} s` : "";
  const words = { live: "Live.", asking: `Asking every 2 s${due && `; connects${due}`}.`, connecting: `Connecting${due}.` };
  const shown = byId("liveness");
  shown.dataset.state = mode.mode;
  shown.textContent = words[mode.mode] + age;
}

/** Read; show a failure as a notice, and try again until it is done, unless it is refused for good. */
async function quietly(read) {
  clearTimeout(triesAgain.get(read));
  triesAgain.delete(read);
  try {
    await read();
    if (!triesAgain.size) say(byId("notice"), "");
  } catch (error) {
    say(byId("notice"), noReading(error), "bad");
    const isFinal = error instanceof Refusal && error.status < 500 && error.status !== 429;
    if (!isFinal) triesAgain.set(read, setTimeout(() => quietly(read), AGAIN_MS));
  }
}

function follow(symbol) {
  live?.close();
  market = markets.find((one) => one.symbol === symbol);
  [depth, heardMs] = [null, null];
  for (const id of ["asks", "bids", "tape", "summary", "spread"]) byId(id).replaceChildren();
  document.title = `${symbol.replace("_", "/")} · Tallybook console`;
  live = new Live(api, settings.websocket, symbol, on);
  candles.begin([]);
  ticket.begin();
  quietly(accountChanged);
}

/** Sign in at each desk of which there are credentials: those of demo.json, or of the form. If one refuses, nothing
    changes; at a desk without credentials, whoever has signed in stays. */
async function signIn({ trade_desk: trade, taker_desk: taker, escrow_desk: escrow }) {
  const next = {};
  if (trade?.token && trade.secret) {
    next.trade = new TradeApi(base, trade);
    await next.trade.setClock();
    await next.trade.get("/user/balances");
  }
  if (taker?.api_key) {
    next.taker = new TakerApi(base, taker);
    await next.taker.get("/takers/orders", { page_size: 1 });
  }
  if (escrow?.secret_key) {
    next.escrow = new EscrowApi(base, escrow.secret_key);
    await next.escrow.get("/accounts/me");
  }
  if (!Object.keys(next).length) throw new Refusal(0, 0, "Give a token with its secret, a taker's key, or a merchant's key.");
  [api, takerApi, escrowApi] = [next.trade ?? api, next.taker ?? takerApi, next.escrow ?? escrowApi];
  const said = [api.signer && `the token ${api.signer.token.slice(0, 6)}…`, takerApi && "a taker's key", escrowApi && "a merchant's key"];
  byId("who").textContent = `Signed in with ${said.filter(Boolean).join(", ")}`;
  byId("sign-in").textContent = "Sign in as another";
  if (market && next.trade) follow(market.symbol);
  views[viewNow()].show();
}

/** Take the one-time token of a local run out of the address, and get the demo's credentials for it. */
async function demoCredentials() {
  const given = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (!given) return null;
  history.replaceState(null, "", location.pathname + location.search);
  const { response, answer } = await send(new URL("console/demo", base), "POST", {}, JSON.stringify({ token: given }));
  return response.ok ? answer : null;
}

function prepareSignIn() {
  const [dialog, form, said] = [byId("sign-in-dialog"), byId("sign-in-form"), byId("sign-in-said")];
  byId("sign-in").addEventListener("click", () => dialog.showModal());
  byId("sign-in-close").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [{ file }, typed] = [form.elements, (name) => form.elements[name].value.trim()];
    try {
      await signIn(file.files[0] ? JSON.parse(await file.files[0].text()) : {
        trade_desk: { token: typed("token"), secret: typed("secret") },
        taker_desk: { api_key: typed("api_key"), api_secret: typed("api_secret") },
        escrow_desk: { secret_key: typed("secret_key") },
      });
      form.reset();
      say(said, "");
      dialog.close();
    } catch (error) {
      const isKnown = error instanceof Refusal || error instanceof NoAnswer;
      say(said, isKnown ? error.message : "This file is no .local/demo.json.", "bad");
    }
  });
}

const viewNow = () => (Object.hasOwn(views, location.hash.slice(1)) ? location.hash.slice(1) : "market");

/** Show the view that the address names, and let the others rest. */
function showView() {
  const chosen = viewNow();
  for (const [name, view] of Object.entries(views)) {
    const isChosen = name === chosen;
    byId(name).hidden = !isChosen;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (isChosen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (isChosen) view.show();
    else view.hide();
  }
}

/** Let the links that skip move the focus alone: the address names the view, which stays, but for the ticket. */
function prepareSkips() {
  for (const link of document.querySelectorAll(".skip")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const target = byId(link.hash.slice(1));
      if (target.closest("[hidden]")) {
        location.hash = "#market";
        showView();
      }
      target.focus();
    });
  }
}

async function start() {
  prepareSignIn();
  prepareSkips();
  addEventListener("hashchange", showView);
  setInterval(showLiveness, 1_000);
  byId("interval").addEventListener("change", ({ target }) => {
    candles.seconds = Number(target.value);
    candles.draw();
  });
  const [credentials, given] = await Promise.all([
    demoCredentials().catch(() => null),
    send(new URL("console/settings.json", base), "GET", {}).then(({ answer }) => answer),
  ]);
  settings = given;
  showView();
  markets = await api.get("/public/pairs");
  const choice = byId("pair");
  choice.replaceChildren(...markets.map(({ symbol }) => make("option", { value: symbol }, symbol.replace("_", "/"))));
  choice.disabled = !markets.length;
  choice.addEventListener("change", () => follow(choice.value));
  if (credentials) await signIn(credentials);
  if (!markets.length) throw new Refusal(0, 0, "This service shows no market: it has none, or no public instance.");
  const liveliest = markets.find(({ symbol }) => symbol === settings.first)?.symbol ?? markets[0].symbol;
  choice.value = liveliest;
  follow(liveliest);
}

start().catch((error) => say(byId("notice"), noReading(error), "bad"));
