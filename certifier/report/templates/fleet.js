"use strict";
(() => {
  const byId = id => document.getElementById(id);
  const table = byId("table"), body = table && table.tBodies[0];
  if (!body) return;
  const rows = [...body.rows].map((row, at) => ({ row, at, text: null }));
  const form = byId("filter"), shown = byId("shown");
  const field = name => form.elements[name];
  const text = entry => entry.text ??= entry.row.textContent.toLowerCase();

  const filter = () => {
    const words = field("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcome = field("outcome").value, mode = field("mode").value, group = field("group").value;
    const needing = field("needing").checked;
    let count = 0;
    for (const entry of rows) {
      const { dataset, cells } = entry.row;
      const fits = (!outcome || cells[3].firstChild.textContent === outcome)
        && (!mode || cells[2].firstChild.textContent === mode)
        && (!group || dataset.g === group) && (!needing || dataset.n)
        && words.every(word => text(entry).includes(word));
      entry.row.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = count === rows.length ? `${count} sources` : `${count} of ${rows.length} sources`;
  };

  const value = (row, column) => {
    const cell = row.cells[column], given = cell.dataset.v;
    return given === undefined ? cell.textContent.trim().toLowerCase() : given === "" ? null
      : isNaN(given) ? given : Number(given);
  };
  const sort = (column, down) => {
    const keyed = rows.map(entry => [value(entry.row, column), entry]);
    keyed.sort(([a, one], [b, other]) => {
      if (a === null || b === null) return (a === null) - (b === null) || one.at - other.at;
      const order = a < b ? -1 : a > b ? 1 : 0;
      return (down ? -order : order) || one.at - other.at;
    });
    body.append(...keyed.map(([, entry]) => entry.row));
  };

  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(column, down);
    });
  }

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  filter();

  for (const link of document.querySelectorAll("[data-group]")) {
    link.hidden = false;
    link.addEventListener("click", () => {
      form.reset();
      field("group").value = link.dataset.group;
      filter();
    });
  }

  // A sheet that is closed leaves the reader where it was opened.
  let opener = null, top = 0;
  const sheet = () => location.hash.length > 1 && document.querySelector(".sheet:target");
  addEventListener("click", event => {
    const link = event.target.closest("a[href^='#s-']");
    if (link && !sheet()) { opener = link; top = scrollY; }
    if (event.target.closest(".close")) { event.preventDefault(); close(); }
  });
  const close = () => {
    location.hash = "sources";
    if (opener) { scrollTo(0, top); opener.focus({ preventScroll: true }); }
  };
  addEventListener("keydown", event => {
    if (event.key === "Escape" && sheet()) close();
  });

  const made = byId("made"), age = Math.floor((Date.now() - Date.parse(made.dateTime)) / 36e5);
  if (age >= 1) {
    byId("age").textContent = age < 48 ? `${age} h ago` : `${Math.floor(age / 24)} days ago`;
  }
})();
