// What a script adds to pages that work without one: copying, the card of an address as it is pasted, keys.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const said = $("#said");
  let quiet;
  const say = (text) => {
    said.textContent = text;
    clearTimeout(quiet);
    quiet = setTimeout(() => { said.textContent = ""; }, 6000);
  };

  const copy = async (text, html) => {
    try {
      if (html && window.ClipboardItem) {
        const part = (type, value) => new Blob([value], { type });
        await navigator.clipboard.write([new ClipboardItem({ "text/plain": part("text/plain", text), "text/html": part("text/html", html) })]);
      } else {
        await navigator.clipboard.writeText(text);
      }
      return true;
    } catch {
      // Not encrypted, or not allowed: the old way.
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "hidden";
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  const press = async (button) => {
    const done = await copy(button.dataset.copy);
    say(done ? "Copied " + button.dataset.copy.replace(/^https?:\/\//, "") : "Your browser does not let this page copy. Mark the link and copy it.");
    if (done) button.textContent = "Copied";
  };
  for (const button of all("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => press(button));
  }

  // Several links at once.
  const table = $("#lines");
  if (table) {
    $("[data-table]").hidden = false;
    const lines = all("tbody tr", table).filter((row) => row.cells.length === 3).map((row) => [...row.cells].map((cell) => cell.textContent.trim()));
    const safe = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
    const cell = (text) => '"' + (/^[=+\-@\t\r]/.test(text) ? "'" : "") + text.replace(/"/g, '""') + '"';
    const forms = {
      text: () => [lines.map(([title, url]) => title + "\n" + url).join("\n\n")],
      html: () => [lines.map(([title, url]) => title + " " + url).join("\n"), "<ul>" + lines.map(([title, url]) => `<li><a href="${safe(url)}">${safe(title)}</a></li>`).join("") + "</ul>"],
      csv: () => [["title,short_url,channel", ...lines.map((line) => line.map(cell).join(","))].join("\r\n")],
    };
    for (const button of all("[data-copy-table]")) {
      button.addEventListener("click", async () => {
        const [text, html] = forms[button.dataset.copyTable]();
        say(await copy(text, html) ? `Copied ${lines.length} links` : "Your browser does not let this page copy.");
      });
    }
  }

  // The desk: what is known of an address, as it is pasted; Enter makes the link.
  const field = $("#urls"), card = $("#card"), form = $("#make");
  if (field) {
    let asked = field.value.trim();
    const look = async () => {
      const text = field.value.trim();
      field.rows = Math.min(12, Math.max(1, field.value.split("\n").length));
      if (text === asked) return;
      asked = text;
      if (!/^https?:\/\/\S+$/.test(text)) { card.replaceChildren(); return; }
      const answer = await fetch("/-/card?url=" + encodeURIComponent(text)).catch(() => null);
      if (answer && answer.ok && asked === text) card.innerHTML = await answer.text();
    };
    field.addEventListener("input", look);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !field.value.trim().includes("\n")) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    document.addEventListener("paste", (event) => {
      if (/^(input|textarea|select)$/i.test(event.target.tagName || "")) return;
      field.value = event.clipboardData.getData("text").trim();
      field.focus();
      look();
    });
    // What was just made is copied by the next key: Enter.
    const made = $(".made [data-copy]");
    if (made) made.focus();
  }

  // Keys, where nobody types.
  const go = { d: "/-/", l: "/-/links", r: "/-/reports" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(input|textarea|select)$/i.test(event.target.tagName)) return;
    if (event.key === "/") {
      const search = $("input[type=search]");
      event.preventDefault();
      if (search) search.focus(); else location.href = "/-/links";
    } else if (event.key === "n") {
      if (field) { event.preventDefault(); field.focus(); } else location.href = "/-/";
    } else if (event.key === "j" || event.key === "k") {
      const rows = all("tbody tr th a");
      const next = rows.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1);
      if (rows[next]) rows[next].focus();
    } else if (go[event.key]) {
      location.href = go[event.key];
    }
  });
})();
