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

/** Show a text in an element that is read out; kind: said, good or bad. */
export function say(element, text, kind = "said") {
  element.textContent = text;
  element.dataset.kind = kind;
  element.hidden = !text && element.id === "notice";
}

export const timeOf = (iso) => new Date(iso).toLocaleTimeString([], { hour12: false });

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
