"use strict";
(() => {
  const root = document.documentElement;

  // light and dark: the system decides until the reader does
  const theme = document.getElementById("theme");
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    label();
  });
  label();

  // tables sort by the order of their cells, not by their typeset text; the unknown comes last
  const compare = (a, b) => {
    if (a === "" || b === "") return a === b ? 0 : null;
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  const sort = (table, column, direction) => {
    const body = table.tBodies[0];
    const key = (row) => row.cells[column].dataset.order;
    const rows = [...body.rows].sort((p, q) => {
      const order = compare(key(p), key(q));
      return order === null ? (key(p) === "" ? 1 : -1) : direction * order;
    });
    body.append(...rows);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      header.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = header.getAttribute("aria-sort") !== "ascending";
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", up ? "ascending" : "descending");
        sort(table, column, up ? 1 : -1);
      });
    });
  }

  // one box above a long table keeps the rows that have every word
  for (const table of document.querySelectorAll("table[data-filter]")) {
    const box = document.createElement("label");
    box.className = "filter";
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "e.g. land Europe";
    box.append("Show rows with", input);
    table.closest(".table").prepend(box);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
  }

  // the headline numbers of all periods are unfolded on paper
  const folded = () => [...document.querySelectorAll("#headline details:not([open])")];
  let opened = [];
  addEventListener("beforeprint", () => { opened = folded(); opened.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => { opened.forEach((d) => { d.open = false; }); opened = []; });
})();
