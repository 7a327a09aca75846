// The order ticket: the members of each order type, what the order would hold, and refusals in words.

import { compare, forPeople, isPositive, read, shown, subtract, times } from "./decimals.js";
import { byId, make, say } from "./page.js";
import { reasonOf } from "./words.js";

const WAIT_S = 10; // for the outcome: an order that is still undecided then is said to be open
const NUMBERS = {
  amount: "Amount",
  value: "Value",
  price: "Limit price",
  stop_price: "Stop price",
  distance: "Distance from the best trade",
  step_amount: "Shown at once",
};

/** Each type: its words, the members it needs, those it may have, and its flags (docs/order-types.md). */
export const TYPES = {
  limit: {
    title: "Limit: at this price or better",
    needs: ["amount", "price"],
    flags: ["post_only", "immediate_or_cancel", "fill_or_kill"],
  },
  market: { title: "Market: at once, at the best prices", needs: ["amount"], flags: ["fill_or_kill"] },
  ceiling: { title: "Ceiling: at once, for this value", needs: ["value"], flags: ["fill_or_kill"] },
  stop_limit: { title: "Stop limit: a limit order once a trade reaches the stop", needs: ["amount", "price", "stop_price"], flags: [] },
  trailing: { title: "Trailing stop: the stop follows the best trade", needs: ["amount", "distance"], may: ["price"], flags: [] },
  iceberg: { title: "Iceberg: shows a slice at a time", needs: ["amount", "price", "step_amount"], flags: ["post_only"] },
};

const FLAGS = {
  post_only: "Post only: never take",
  immediate_or_cancel: "Immediate or cancel: nothing rests",
  fill_or_kill: "Fill or kill: all at once or nothing",
};

const STATUSES = {
  open: "It is open.",
  executed_partially: "It is filled in part; the rest is open.",
  executed_completely: "FILLED.",
  canceled: "It ended without resting: nothing more will trade.",
};

/** Why an order has ended that was taken, by the flag that it asked for. */
const ENDED = {
  post_only: "Post only: it would have traded at once, so it was not placed.",
  fill_or_kill: "Fill or kill: not all of it could trade at once, so nothing did.",
  immediate_or_cancel: "Immediate or cancel: what could not trade at once has ended.",
};

export class Ticket {
  /** now: {api, market, balances, depth} as of now. placed: called after an order was placed. */
  constructor(now, placed) {
    Object.assign(this, { now, placed, form: byId("ticket"), said: byId("ticket-said"), isSending: false });
    this.#build();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.form.addEventListener("input", () => this.show());
    this.show();
  }

  #build() {
    const side = (value, text) =>
      make("label", { className: `side ${value}` },
        make("input", { type: "radio", name: "side", value, checked: value === "buy" }), text);
    const option = ([value, { title }]) => make("option", { value }, title);
    this.form.replaceChildren(
      make("fieldset", { className: "sides" }, make("legend", { className: "hidden" }, "Side"), side("buy", "Buy"), side("sell", "Sell")),
      make("label", {}, "Type ", make("select", { name: "type" }, ...Object.entries(TYPES).map(option))),
      ...Object.entries(NUMBERS).map(([name, title]) =>
        make("label", { dataset: { member: name } }, make("span", {}, title),
          make("input", { name, inputMode: "decimal", autocomplete: "off" }))),
      ...Object.entries(FLAGS).map(([name, title]) =>
        make("label", { className: "flag", dataset: { member: name } }, make("input", { type: "checkbox", name }), title)),
      make("p", { id: "ticket-holds", className: "said" }),
      make("button", { type: "submit", name: "place" }, "Place the order"),
    );
  }

  get side() {
    return this.form.elements.side.value;
  }

  get #type() {
    return TYPES[this.form.elements.type.value];
  }

  /** Begin with another market: what was said of the last one goes. */
  begin() {
    say(this.said, "");
    this.show();
  }

  takePrice(price) {
    const { price: input } = this.form.elements;
    if (input.closest("label").hidden) this.form.elements.type.value = "limit";
    input.value = price;
    this.show();
    this.form.elements.amount.focus();
  }

  /** Show the members of the chosen type, the assets' names, and what the order would hold. */
  show() {
    const { market, api } = this.now();
    const { needs, may = [], flags } = this.#type;
    for (const label of this.form.querySelectorAll("[data-member]")) {
      const name = label.dataset.member;
      label.hidden = ![...needs, ...may, ...flags].includes(name);
      const title = label.querySelector("span");
      if (!title) continue;
      const asset = market ? ` (${["amount", "step_amount"].includes(name) ? market.base : market.quote})` : "";
      const optional = may.includes(name) ? (this.side === "buy" ? "" : ", optional") : "";
      title.textContent = NUMBERS[name] + asset + optional;
    }
    const button = this.form.elements.place;
    button.textContent = `${this.side === "buy" ? "Buy" : "Sell"} ${market?.base ?? ""}`;
    button.dataset.side = this.side;
    button.disabled = !api.signer || !market || this.isSending;
    const holds = this.#holds();
    const isTooMuch = holds && compare(holds.after, "0") < 0;
    const then = isTooMuch ? "which is not enough" : holds && `then ${forPeople(holds.after)}`;
    const words = holds && `Holds ${forPeople(holds.amount)} ${holds.code}; available ${forPeople(holds.before)}, ${then}.`;
    say(byId("ticket-holds"), api.signer ? words : "Sign in to place orders.", isTooMuch ? "bad" : "said");
  }

  #holds() {
    const { market, balances } = this.now();
    const { amount, price, value } = this.form.elements;
    if (!market) return "";
    const isBuy = this.side === "buy";
    const shows = (input) => !input.closest("label").hidden && isPositive(input.value);
    const code = isBuy ? market.quote : market.base;
    const held = isBuy
      ? shows(value) ? value.value : shows(amount) && shows(price) ? times(amount.value, price.value) : null
      : shows(amount) ? amount.value : null;
    const before = balances.get(code)?.available;
    if (!held || before === undefined) return "";
    return { code, amount: held, before, after: subtract(before, held) };
  }

  #body() {
    const { market } = this.now();
    const { needs, may = [], flags } = this.#type;
    const members = this.form.elements;
    const body = { pair: market.symbol, side: this.side, type: members.type.value };
    for (const name of [...needs, ...may]) {
      const text = members[name].value.trim();
      if (!text && may.includes(name) && !(name === "price" && this.side === "buy")) continue;
      if (!read(text)) throw new WrongInput(members[name], `${NUMBERS[name]}: type a number.`);
      if (!isPositive(text)) throw new WrongInput(members[name], `${NUMBERS[name]}: it must be above 0.`);
      body[name] = shown(...read(text)); // the desk takes no exponents
    }
    const chosen = flags.filter((name) => members[name].checked);
    if (chosen.length > 1) throw new WrongInput(members[chosen[0]], "Post only, immediate or cancel, fill or kill: choose one at most.");
    for (const name of chosen) body[name] = true;
    return body;
  }

  async #send() {
    const { api, market } = this.now();
    if (this.isSending || !api.signer) return;
    const before = new Map(this.now().balances);
    try {
      const body = this.#body();
      this.isSending = true;
      this.show();
      say(this.said, "Sent …");
      const order = await api.post("/orders", body, { headers: { Prefer: `wait=${WAIT_S}` } });
      const ended = order.status === "canceled" && Object.keys(ENDED).find((flag) => body[flag]);
      const words = `${body.side === "buy" ? "Buy" : "Sell"} order taken. ${ended ? ENDED[ended] : STATUSES[order.status] ?? order.status}`;
      const executed = `Executed ${forPeople(order.executed_amount)} ${market.base}.`;
      say(this.said, `${words} ${executed}`, order.status === "canceled" ? "bad" : "good");
      const after = await this.placed().catch(() => null);
      if (after) say(this.said, `${this.said.textContent} ${changesOf(before, after)}`.trim(), this.said.dataset.kind);
    } catch (error) {
      if (error instanceof WrongInput) error.input.focus();
      say(this.said, error instanceof WrongInput ? error.message : reasonOf(error), "bad");
    } finally {
      this.isSending = false;
      this.show();
    }
  }
}

class WrongInput extends Error {
  constructor(input, message) {
    super(message);
    this.input = input;
  }
}

function changesOf(before, after) {
  return [...after]
    .filter(([code, { available }]) => before.has(code) && compare(before.get(code).available, available))
    .map(([code, { available }]) => `${code} available: ${forPeople(before.get(code).available)} before, ${forPeople(available)} now.`)
    .join(" ");
}
