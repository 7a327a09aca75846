// The price ladder: asks above bids, each level with the sum up to it.

import { forPeople, subtract } from "./decimals.js";
import { byId, make, place } from "./page.js";

const LEVELS = 12;

export class Ladder {
  /** choose: called with a price that was clicked. */
  constructor(choose) {
    Object.assign(this, { choose, rows: new Map() });
  }

  draw(depth, changed, quote) {
    const [bids, asks] = [depth.best("bids", LEVELS), depth.best("asks", LEVELS)];
    const most = Math.max(0, ...[bids, asks].map((levels) => Number(levels.at(-1)?.total ?? 0)));
    const rows = new Map();
    const shown = (name, levels) => levels.map((level) => this.#row(name, level, most, changed.has(level.price), rows));
    place(byId("asks"), shown("ask", asks).reverse());
    place(byId("bids"), shown("bid", bids));
    this.rows = rows;
    byId("spread").textContent = bids.length && asks.length
      ? `Spread ${forPeople(subtract(asks[0].price, bids[0].price))} ${quote}`
      : asks.length || bids.length ? "One side only" : "Empty book";
  }

  #row(name, { price, amount, total }, most, isChanged, rows) {
    const key = `${name} ${price}`;
    const line = this.rows.get(key) ?? make("tr", { className: name },
      make("td", {}, make("button", { type: "button", className: "price", onclick: () => this.choose(price) }, forPeople(price))),
      make("td", { className: "number" }), make("td", { className: "number" }));
    const [, amountCell, totalCell] = line.children;
    const before = amountCell.textContent;
    amountCell.textContent = forPeople(amount);
    totalCell.textContent = forPeople(total);
    line.style.setProperty("--share", most ? String(Number(total) / most) : "0");
    if (isChanged && before !== amountCell.textContent) {
      line.classList.remove("changed");
      void line.offsetWidth; // begins the animation anew
      line.classList.add("changed");
    }
    rows.set(key, line);
    return line;
  }
}

