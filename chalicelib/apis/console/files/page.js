// The page's elements: found by id, made from data. Text is set as text, never as HTML.

export const byId = (id) => document.getElementById(id);

/** Return an element. properties: of the element; dataset and aria- attributes included. children: elements or texts. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("aria-") || name === "scope" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

export const row = (...cells) =>
  make("tr", {}, ...cells.map((cell) => (cell instanceof HTMLTableCellElement ? cell : make("td", {}, cell))));

/** Give an element these children. Those that it had stay where they are, so that focus and a press under way stay; if
    the focused one goes, the focus goes to one with the same words, or to what surrounds them. */
export function place(parent, children) {
  const { activeElement: focused } = document;
  const isWithin = parent.contains(focused);
  const kept = new Set(children);
  for (const child of [...parent.childNodes]) if (!kept.has(child)) child.remove();
  children.forEach((child, number) => {
    if (parent.childNodes[number] !== child) parent.insertBefore(child, parent.childNodes[number] ?? null);
  });
  if (!isWithin || parent.contains(focused)) return;
  const words = (one) => one.getAttribute("aria-label") ?? one.textContent;
  const same = [...parent.querySelectorAll("button")].find((one) => words(one) === words(focused));
  (same ?? parent.closest("[tabindex]"))?.focus({ preventScroll: true });
}

const rowsShown = new WeakMap();

/** Show a table's rows, made of data by rowOf; a row whose datum is as before stays. none: the words without data. */
export function showRows(body, data, rowOf, none) {
  const before = rowsShown.get(body) ?? new Map();
  const rows = new Map(data.map((datum) => [JSON.stringify(datum), datum]).map(([text, datum]) => [text, before.get(text) ?? rowOf(datum)]));
  rowsShown.set(body, rows);
  const columns = body.closest("table").tHead.rows[0]?.cells.length ?? 1;
  place(body, rows.size ? [...rows.values()] : [row(make("td", { colSpan: columns, className: "none" }, none))]);
}

/** Show a text in an element that is read out; kind: said, good or bad. */
export function say(element, text, kind = "said") {
  element.textContent = text;
  element.dataset.kind = kind;
  element.hidden = !text && element.id === "notice";
}

/** Return the time of day, and the date with it, of a moment: of 24 hours, from 00:00:00. */
export const timeOf = (moment) => new Date(moment).toLocaleTimeString([], { hourCycle: "h23" });
export const dateOf = (moment) => new Date(moment).toLocaleString([], { hourCycle: "h23", dateStyle: "medium", timeStyle: "medium" });

/** Return a function that calls another at most once a frame. */
export function onceAFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
