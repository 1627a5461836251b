"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  for (const e of all(".js")) e.hidden = false;

  const theme = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % 3];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    theme.textContent = "theme: " + next;
  });

  // Findings by severity.
  for (const button of all("button[data-show]")) {
    button.addEventListener("click", () => {
      for (const b of all("button[data-show]")) b.setAttribute("aria-pressed", b === button);
      for (const f of all("details.finding")) {
        f.hidden = button.dataset.show !== "all" && f.dataset.level !== button.dataset.show;
      }
    });
  }

  // Tables sort by a click on a heading; numbers by value, and what has none stays last.
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell ? cell.dataset.v || cell.textContent : "";
    const number = parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(number) ? text : number;
  };
  for (const table of all("table.sortable")) {
    all("th", table).forEach((th, column) => th.addEventListener("click", () => {
      const down = th.getAttribute("aria-sort") !== "descending";
      for (const other of all("th", table)) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = all("tbody tr", table);
      rows.sort((a, b) => {
        const x = value(a, column), y = value(b, column);
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
        const order = typeof x === "number" ? x - y : x.localeCompare(y);
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    }));
  }

  // Heat maps: the value under the pointer, from binary16 values.
  const half = (bits) => {
    const sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, mantissa = bits & 1023;
    if (exponent === 31) return mantissa ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + mantissa / 1024) : 2 ** -14 * mantissa / 1024);
  };
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const shown = (kind, v) => {
    if (Number.isNaN(v)) return "never routed to, or not measured";
    if (kind === "error") return (100 * v).toPrecision(3) + " %";
    return kind === "tokens" ? "about " + v + " tokens" : v.toPrecision(3);
  };
  for (const map of all(".map")) {
    const bytes = Uint8Array.from(atob(map.dataset.values), (c) => c.charCodeAt(0));
    const layers = map.dataset.layers.split(","), experts = map.dataset.experts.split(",");
    const image = map.querySelector("img");
    const at = (event) => {
      const box = image.getBoundingClientRect();
      const y = Math.floor((event.clientY - box.top) / box.height * layers.length);
      const x = Math.floor((event.clientX - box.left) / box.width * experts.length);
      return x < 0 || y < 0 || x >= experts.length || y >= layers.length ? null : [y, x];
    };
    image.addEventListener("pointermove", (event) => {
      const cell = at(event);
      tip.hidden = !cell;
      if (!cell) return;
      const i = 2 * (cell[0] * experts.length + cell[1]);
      tip.textContent = `layer ${layers[cell[0]]}, expert ${experts[cell[1]]}: ` +
        shown(map.dataset.kind, half(bytes[i] | bytes[i + 1] << 8));
      tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4) + "px";
      tip.style.top = event.clientY + 14 + "px";
    });
    image.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  // A link to a finding opens it; paper cannot be opened, so everything is before printing.
  const open = () => {
    let e = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => { for (const d of all("details")) d.open = true; });
})();
