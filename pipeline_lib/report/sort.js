"use strict";
// Sort a table by a click (or Enter, or Space) on a column's button: first upwards, then downwards.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      sort(table.tBodies[0], column, head.hasAttribute("data-number"), down);
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  });
}

function sort(body, column, numeric, down) {
  const order = new Intl.Collator(undefined, { numeric: true });
  const rows = [...body.rows].map((row) => ({ row, key: key(row.cells[column], numeric) }));
  rows.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null); // what is missing stays below
    const difference = numeric ? compare(a.key, b.key) : order.compare(a.key, b.key);
    return down ? -difference : difference;
  });
  body.append(...rows.map(({ row }) => row));
}

function compare(a, b) {
  return a < b ? -1 : Number(a > b); // infinity minus infinity would be no number
}

function key(cell, numeric) {
  const text = cell.dataset.key ?? cell.textContent;
  if (text === "") return null;
  return numeric ? Number(text) : text;
}
