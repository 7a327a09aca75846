// The operator's console: each part is a command of the command line that lists, and the commands that its rows allow.

import { byId, make, row, say, showRows, timeOf } from "./page.js";
import { NoAnswer, Refusal, send } from "./send.js";

const TOKEN = /^#token=([\w-]+)$/.exec(location.hash)?.[1] ?? null;
const LOOK_MS = 300;
const SECRETS = ["api_key", "token", "secret", "key"];

// list: the command and the member of its result that has the rows. columns: all members of a row, unless named.
// acts: by the words of a button, the command for a row; sure: what is asked before. makes: commands without a row.
const VIEWS = {
  instances: {
    title: "Instances", list: () => ["instance", "list"], rows: "instances",
    acts: (one) => one.status === "ARCHIVED"
      ? { Restore: [["instance", "restore", one.instance]] }
      : { Archive: [["instance", "archive", one.instance], "None of its keys is accepted any more, until it is restored."] },
  },
  books: {
    title: "Books", list: (of) => ["book", "list", of], rows: "books",
    columns: ["order_book_id", "symbol", "name", "trading_state", "sequence", "parked_at", "failure"],
    acts: (one, of) => ({
      Verify: () => prove({ book: `${of}/${one.order_book_id}` }),
      ...(one.status === "ACTIVE" ? { Pause: [["book", "pause", `${of}/${one.order_book_id}`], "No order is taken or matched until it is resumed."] } : {}),
      ...(one.status !== "CLOSED" && one.trading_state !== "ACTIVE" ? { Resume: [["book", "resume", `${of}/${one.order_book_id}`]] } : {}),
    }),
    makes: (of) => ({ "Verify the whole instance": () => prove({ instance: of }) }),
  },
  keys: {
    title: "Keys of the book desk", list: (of) => ["key", "list", of], rows: "keys",
    acts: (one, of) => one.status === "ACTIVE" ? {
      Rotate: [["key", "rotate", of, one.key_id], "A new key is made; this one stays valid for a while."],
      Revoke: [["key", "revoke", of, one.key_id], "The key ends now."],
    } : {},
    makes: (of) => ({ "Make a key": [["key", "create", "--instance", of]] }),
  },
  tokens: {
    title: "Tokens of the trade desk", list: (of) => ["api-token", "list", of], rows: "tokens",
    acts: (one) => one.status === "ACTIVE"
      ? { Block: [["api-token", "block", one.token_id], "It is let in no more, until it is unblocked."] }
      : { Unblock: [["api-token", "unblock", one.token_id]] },
    asks: { customer: "Customer", permission: ["buy-sell", "read"] },
    makes: (of, { customer, permission }) => ({
      "Make a token": [["api-token", "create", "--instance", of, "--customer", customer, "--permission", permission]],
    }),
  },
  customers: {
    title: "A customer's balances, in base units", asks: { customer: "Customer" },
    list: (of, { customer }) => customer && ["balances", "--instance", of, "--customer", customer], rows: "balances",
    makes: (of, { customer }) => ({
      "Show the statement": () => open("statement"),
      Freeze: [["customer", "freeze", "--instance", of, "--customer", customer], "It may place nothing more, until it is unfrozen."],
      Unfreeze: [["customer", "unfreeze", "--instance", of, "--customer", customer]],
    }),
  },
  statement: {
    title: "A customer's statement in base units, newest first", asks: { customer: "Customer" },
    list: (of, { customer }) => customer && ["statement", "--instance", of, "--customer", customer], rows: "rows",
    columns: ["createdAt", "type", "symbol", "change", "amount", "fromCustomerRef", "toCustomerRef", "reference", "id"],
  },
  fees: { title: "Fees", list: (of) => ["fees", "show", "--instance", of], rows: "fees" },
  webhooks: {
    title: "Webhook endpoints", list: (of) => ["webhook", "list", of], rows: "webhooks",
    columns: ["id", "url", "types", "status", "reason"],
    acts: (one, of) => ({
      Waiting: () => open("waiting", { endpoint: one.id }),
      "Dead letters": () => open("letters", { endpoint: one.id }),
      Test: [["webhook", "test", of, one.id]],
      ...(one.status === "ACTIVE" ? { Pause: [["webhook", "pause", of, one.id]] } : { Resume: [["webhook", "resume", of, one.id]] }),
    }),
  },
  waiting: {
    title: "What is to be sent to an endpoint, what is tried next first", asks: { endpoint: "Endpoint" },
    list: (of, { endpoint }) => endpoint && ["webhook", "waiting", of, endpoint], rows: "deliveries",
    columns: ["id", "type", "attempts", "lastAnswer", "nextAttemptAt"],
  },
  letters: {
    title: "Dead letters of an endpoint", asks: { endpoint: "Endpoint" },
    list: (of, { endpoint }) => endpoint && ["webhook", "dead", of, endpoint], rows: "deliveries",
    columns: ["id", "type", "attempts", "lastAnswer", "decidedAt"],
    acts: (one, of, { endpoint }) => ({ Redeliver: [["webhook", "redeliver", of, endpoint, one.id]] }),
  },
};

const typed = {};
let view = "instances";
let number = 0;
let underWay = null;

const instanceNow = () => byId("instance").value;

async function call(method, path, content) {
  const headers = { Authorization: `Bearer ${TOKEN}` };
  const sent = content && JSON.stringify(content);
  const { response, answer } = await send(new URL(path, location.href), method, headers, sent, null); // its calls to AWS are bounded (O36)
  if (response.ok) return answer;
  throw new Refusal(response.status, answer.error?.code, answer.error?.message);
}

const run = (command) => call("POST", "run", { arguments: command });

function wordsOf(error) {
  if (!(error instanceof Refusal || error instanceof NoAnswer)) throw error;
  return error instanceof NoAnswer ? "The console's program does not answer: is it still running?" : error.message;
}

async function open(name, more = {}) {
  Object.assign(typed, more);
  view = name;
  const { title, asks = {}, makes = () => ({}) } = VIEWS[name];
  byId("title").textContent = title;
  for (const link of byId("views").children) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  say(byId("said"), "");
  byId("head").replaceChildren();
  showRows(byId("rows"), [], row, "");
  byId("asked").hidden = !Object.keys(asks).length;
  byId("asked").replaceChildren(...Object.entries(asks).map(([member, kind]) => {
    const input = Array.isArray(kind)
      ? make("select", { name: member }, ...kind.map((value) => make("option", { value }, value)))
      : make("input", { name: member, value: typed[member] ?? "", autocomplete: "off", spellcheck: false });
    typed[member] ??= input.value;
    return make("label", {}, Array.isArray(kind) ? capital(member) : kind, " ", input);
  }), make("button", { type: "submit" }, "Show"));
  byId("actions").replaceChildren(...buttons(() => makes(instanceNow(), typed), ""));
  await refresh();
}

async function refresh() {
  const asked = (number += 1);
  const { list, rows, columns, acts = () => ({}) } = VIEWS[view];
  const sinceMs = Date.now();
  const waits = setInterval(() => { if (asked === number) byId("age").textContent = `Reading for ${Math.round((Date.now() - sinceMs) / 1000)} s …`; }, 1_000);
  byId("age").textContent = "Reading …";
  try {
    if (!instanceNow() && view !== "instances") showInstances((await run(["instance", "list"])).instances);
    const command = list(instanceNow(), typed);
    const found = command ? (await run(command))[rows] : [];
    if (asked !== number) return;
    if (view === "instances") showInstances(found);
    const names = columns ?? [...new Set(found.flatMap(Object.keys))];
    const heads = VIEWS[view].acts ? [...names, "commands"] : names;
    byId("head").replaceChildren(make("tr", {}, ...heads.map((name) =>
      make("th", { scope: "col", className: found.some((one) => isNumber(one[name])) ? "number" : "" }, wordsOfName(name)))));
    const cell = (value) => make("td", { className: isNumber(value) ? "number" : "" }, textOf(value));
    showRows(byId("rows"), found.map((one) => ({ view, names, one })), ({ one }) =>
      row(...names.map((name) => cell(one[name])),
        ...(VIEWS[view].acts ? [make("td", {}, ...buttons(() => acts(one, instanceNow(), typed), textOf(one[names[0]])))] : [])),
    command ? "None." : "Say whose.");
    byId("age").textContent = `As of ${timeOf(Date.now())}.`;
  } catch (error) {
    if (asked !== number) return;
    showRows(byId("rows"), [], row, "Not read.");
    byId("age").textContent = "";
    say(byId("said"), wordsOf(error), "bad");
  } finally {
    clearInterval(waits);
  }
}

function showInstances(found) {
  const [choice, before] = [byId("instance"), instanceNow()];
  choice.replaceChildren(...found.map(({ instance }) => make("option", { value: instance }, instance)));
  if (found.some(({ instance }) => instance === before)) choice.value = before;
  choice.disabled = !found.length;
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);
const isNumber = (value) => /^-?\d+(\.\d+)?$/.test(value ?? "");
const wordsOfName = (name) => name.replaceAll("_", " ").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
const textOf = (value) => (value === null || value === undefined ? "" : Array.isArray(value) ? value.join(", ") : String(value));

/** Return a button for each act; what it does is looked up when it is pressed, with what is typed by then. */
function buttons(acts, of) {
  return Object.keys(acts()).flatMap((words) => {
    const press = () => {
      const act = acts()[words];
      return typeof act === "function" ? act() : carryOut(words, ...act);
    };
    return [make("button", { type: "button", "aria-label": `${words} ${of}`.trim(), onclick: press }, words), " "];
  });
}

async function carryOut(words, command, doubt) {
  if (command.includes("")) {
    say(byId("said"), `${words}: fill in the field above first.`, "bad");
    return;
  }
  if (underWay) {
    say(byId("said"), `${underWay} is still under way: wait for its end.`, "bad");
    return;
  }
  if (doubt && !(await isSure(`${words}? ${doubt}`))) return;
  try {
    underWay = words;
    say(byId("said"), `${words}: under way …`);
    const told = await run(command).finally(() => { underWay = null; });
    const secrets = SECRETS.filter((name) => told[name]);
    if (secrets.length) {
      byId("secret").replaceChildren(...secrets.flatMap((name) => [make("dt", {}, name), make("dd", {}, told[name])]));
      byId("secret-dialog").showModal();
    }
    say(byId("said"), `${words}: done.`, "good");
    await refresh();
  } catch (error) {
    say(byId("said"), wordsOf(error), "bad");
  }
}

/** Ask, and return whether the answer is yes. It is heard as it is given: a dialog's "close" comes later, perhaps into the next question. */
function isSure(words) {
  const dialog = byId("sure-dialog");
  byId("sure-words").textContent = words;
  dialog.showModal();
  return new Promise((answered) => {
    dialog.oncancel = () => answered(false);
    dialog.onsubmit = ({ submitter }) => answered(submitter.value === "yes");
  });
}

async function prove(what) {
  try {
    await call("POST", "proofs", what);
    await watch();
  } catch (error) {
    say(byId("said"), wordsOf(error), "bad");
  }
}

/** Show how far the verification is, until it has ended. */
async function watch() {
  const bar = byId("progress");
  try {
    for (;;) {
      const { state, of, step, done, total, report, error } = await call("GET", "proofs");
      if (state !== "running") {
        if (state === "proven") say(byId("said"), `${of} agrees: ${summaryOf(report)}`, "good");
        else say(byId("said"), `${of}: ${error?.message}`, "bad");
        return;
      }
      bar.hidden = false;
      if (total === null) bar.removeAttribute("value");
      else [bar.max, bar.value] = [Number(total), Number(done)];
      say(byId("said"), `Verifying ${of}: ${step}${total === null ? "" : `, ${done} of ${total}`}.`);
      await new Promise((goesOn) => setTimeout(goesOn, LOOK_MS));
    }
  } finally {
    bar.hidden = true;
  }
}

function summaryOf({ books, instances }) {
  const sum = (rows, name) => rows.reduce((total, one) => total + Number(one[name] ?? 0), 0);
  return `${books.length} books, ${sum(books, "entries")} journal entries, ${sum(books, "orders")} orders, ${sum(books, "fills")} fills, ${sum(instances, "accounts")} accounts.`;
}

async function start() {
  if (!TOKEN) throw new Refusal(403, "CREDENTIALS", "Open the address that tallybook console printed.");
  history.replaceState(null, "", location.pathname);
  byId("views").append(...Object.entries(VIEWS).filter(([name]) => !["statement", "waiting", "letters"].includes(name)).map(([name, { title }]) =>
    make("a", { href: `#${name}`, dataset: { view: name }, onclick: (event) => { event.preventDefault(); open(name); } }, capital(name))));
  byId("asked").addEventListener("submit", (event) => event.preventDefault());
  byId("asked").addEventListener("input", ({ target }) => { typed[target.name] = target.value.trim(); });
  byId("asked").addEventListener("change", () => { say(byId("said"), ""); refresh(); });
  byId("secret-dialog").addEventListener("close", ({ target }) => target.open || byId("secret").replaceChildren());
  byId("instance").addEventListener("change", refresh);
  await open("instances");
}

start().catch((error) => say(byId("notice"), wordsOf(error), "bad"));
