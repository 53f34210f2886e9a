// What a script adds to pages that work without one: copying, the card of an address as it is pasted, the live board as it happens, keys.
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

  // What is also on the page: said, and not shown once more.
  const told = $("#told");
  const tell = (text) => { told.textContent = text; };

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
      const area = document.createElement("textarea"), before = document.activeElement;
      area.value = text;
      area.className = "hidden";
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      if (before) before.focus({ preventScroll: true });
      return done;
    }
  };

  const short = (url) => url.replace(/^https?:\/\//, "");
  const press = async (button) => {
    const url = button.dataset.copy, done = await copy(url);
    say(done ? "Copied " + short(url) : "Your browser does not let this page copy. Mark the link and copy it.");
    if (done) button.textContent = "Copied";
    return done;
  };
  // Buttons that only a script can serve, also those of parts that come later.
  const show = (root) => all("[data-copy]", root).forEach((button) => { button.hidden = false; });
  show(document);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]"), share = event.target.closest("[data-share] > summary");
    if (button) press(button);
    // Where the system shares by itself, what is folded out is not needed.
    if (share && navigator.share) {
      event.preventDefault();
      const { share: url, title } = share.parentElement.dataset;
      navigator.share({ url, title }).catch(() => {});
    }
  });
  const part = async (address, asked) => {
    const answer = await fetch(address, asked).catch(() => null);
    if (!answer) return null;
    if (/\/-\/login/.test(answer.url)) return { answer: Response.error(), out: true };
    return { answer, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
  };

  // Several links at once.
  const several = () => {
    const table = $("#lines");
    if (!table) return;
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
  };

  // The desk: what is known of an address as it is pasted, whether a code is free; Enter makes the link, here.
  const desk = () => {
    several();
    const field = $("#urls"), code = $("#code");
    if (!field) return;
    let asked = field.value.trim(), wait;
    const look = async () => {
      const text = field.value.trim(), card = $("#card");
      field.rows = Math.min(12, Math.max(1, field.value.split("\n").length));
      if (text === asked) return;
      asked = text;
      if (!/^https?:\/\/\S+$/.test(text)) { card.replaceChildren(); return; }
      const found = await part("/-/card?url=" + encodeURIComponent(text));
      if (found && found.answer.ok && asked === text) {
        card.replaceChildren(...found.page.body.childNodes);
        show(card);
      }
    };
    field.addEventListener("input", look);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !field.value.trim().includes("\n")) {
        event.preventDefault();
        field.form.requestSubmit();
      }
    });
    code.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(async () => {
        const text = code.value.trim(), says = $("#code-says");
        const found = text && await part("/-/code?code=" + encodeURIComponent(text));
        if (code.value.trim() === text) says.replaceChildren(...(found && found.answer.ok ? found.page.body.childNodes : []));
      }, 200);
    });
    // A new page that says what was made: what is next is to copy it.
    const made = $(".made [data-copy]");
    if (made) made.focus();
  };
  // Why nothing came of what was sent: all that was typed stays where it is.
  const trouble = (done) => {
    const note = $("#trouble") || document.createElement("p"), way = document.createElement("a");
    const why = done && done.page && $("main p", done.page), lines = $("#urls").value.trim().split("\n");
    note.id = "trouble";
    note.className = "note alert";
    note.setAttribute("role", "alert");
    way.textContent = "Sign in";
    way.href = "/-/login";
    const back = "/-/new?" + new URLSearchParams({ url: lines[0] });
    if (lines.length > 1 || back.length > 2000) way.target = "_blank"; else way.search = new URLSearchParams({ next: back });
    if (!note.isConnected) $("#make").before(note);
    note.replaceChildren(...done && done.out
      ? ["You are signed out. What you typed is still here. ", way, way.target ? " in another window, and send it again." : " again."]
      : [why ? why.textContent + ". What you typed is still here." : "There was no answer. What you typed is still here: send it again."]);
  };
  if ($("#urls")) {
    document.addEventListener("submit", async (event) => {
      const form = event.target;
      if (form.method !== "post" || !/^\/-\/(undo)?$/.test(form.getAttribute("action"))) return;
      event.preventDefault();
      if (form.ariaBusy) return;
      form.ariaBusy = "true";
      const done = await part(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      form.ariaBusy = null;
      const main = done && !done.out && (done.answer.ok || done.answer.status === 422) && $("main", done.page);
      if (!main || !$("#urls", main)) { trouble(done); return; }
      if (done.answer.redirected) history.pushState(null, "", done.answer.url);
      $("main").replaceWith(main);
      show(main);
      desk();
      const made = $(".made [data-copy]"), news = $("[data-said]"), bad = $("[aria-invalid]");
      if (made) await press(made); else if (news) say(news.dataset.said);
      if (bad) bad.focus(); else if (!made && $("#urls")) $("#urls").focus();
    });
    window.addEventListener("popstate", () => location.reload());
    document.addEventListener("paste", (event) => {
      const field = $("#urls");
      if (!field || /^(input|textarea|select)$/i.test(event.target.tagName || "")) return;
      field.value = event.clipboardData.getData("text").trim();
      field.focus();
      field.dispatchEvent(new Event("input"));
    });
  }
  desk();

  // A file is read into the field for its text.
  const file = $("[data-file]");
  if (file) {
    file.hidden = false;
    $("input", file).addEventListener("change", async (event) => {
      const [chosen] = event.target.files;
      if (chosen) $("#" + file.dataset.file).value = await chosen.text();
    });
  }

  // The live board: numbers as they come; while none come, the page's own, every few seconds.
  const live = $("#live");
  if (live) {
    const number = (n) => n.toLocaleString("en-US");
    const clock = (at) => at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: live.dataset.zone });
    const words = {
      created: () => ["New link: ", ""],
      changed: () => ["Changed: ", ""],
      retired: () => ["Retired: ", ""],
      milestone: (e) => ["", " passed " + number(+e.value) + " clicks"],
      spike: (e) => ["", " takes off: " + number(+e.value) + " clicks in ten minutes"],
      source: (e) => ["Readers come from " + e.value + " now", ""],
    };
    const pause = $("#pause");
    let minutes = [], recent = [], today = 0, top = [], paused = false, last = +live.dataset.last, source, watch;
    const put = (selector, text) => { const at = $(selector); if (at.textContent !== text) at.textContent = text; };
    const element = (name, classes, text) => {
      const made = document.createElement(name);
      made.className = classes;
      made.textContent = text;
      return made;
    };
    const linked = "linked" in live.dataset;
    const about = (change) => {
      const text = change.title || change.value;
      if (!change.code) return "";
      const made = element(linked ? "a" : "span", "", text);
      if (linked) made.href = "/-/links/" + encodeURIComponent(change.code);
      return made;
    };
    // The page itself says how rows look: what changed is taken from it, with how far each has moved.
    const moves = new Map();
    const fresh = async (...ids) => {
      const found = await part(location.href);
      if (!found || !found.answer.ok || paused) return;
      const before = all("#top li").map((row) => row.dataset.key);
      for (const id of ids) {
        const from = found.page.getElementById(id);
        if (from) $("#" + id).replaceChildren(...from.childNodes);
      }
      all("#top li").forEach((row, rank) => {
        const { key } = row.dataset, was = before.indexOf(key);
        if (before.length && was !== rank) moves.set(key, [was < 0 ? "new" : was - rank, Date.now() + 60000]);
        const [by, until] = moves.get(key) || [];
        if (!(until > Date.now())) return;
        const words = by === "new" ? "new" : (by > 0 ? "▲ " : "▼ ") + Math.abs(by);
        const mark = element("span", "move small " + (by < 0 ? "down" : "up"), words);
        mark.title = by === "new" ? "new here" : Math.abs(by) + (by > 0 ? " up" : " down");
        row.firstElementChild.append(" ", mark);
      });
      $("#quiet").hidden = all("#top li").length > 0;
    };
    let drawn = 0;
    const links = () => {
      const list = $("#top"), shown = JSON.stringify(top), now = Date.now();
      if (now - drawn < 4000 || (list.dataset.shown === shown && !live.dataset.group)) return;
      // The page that is there was made a moment ago.
      if (list.dataset.shown !== undefined || top.length !== all("#top li").length) fresh("top", "uniques");
      [list.dataset.shown, drawn] = [shown, now];
    };
    const draw = (now) => {
      if (paused) return;
      recent = recent.filter(([at]) => at > now - 60000);
      put("#minute", number(recent.reduce((sum, [, n]) => sum + n, 0)));
      put("#today", number(today));
      put("#standing", "As of " + clock(new Date(now)) + ", " + live.dataset.zone);
      const most = Math.max(1, ...minutes.map((minute) => minute.clicks));
      const bars = all("#bars rect"), rows = all("#minutes tbody tr");
      minutes.forEach((minute, at) => {
        if (!bars[at] || !rows[at]) return;
        const high = Math.max(1, Math.floor(minute.clicks * 96 / most));
        bars[at].setAttribute("height", high);
        bars[at].setAttribute("y", 100 - high);
        rows[at].cells[0].textContent = clock(new Date(minute.start));
        rows[at].cells[1].textContent = number(minute.clicks);
      });
      links();
    };
    const on = {
      snapshot(snapshot, id) {
        // A service that began anew counts anew.
        if (id < last) last = 0;
        const now = Date.parse(snapshot.at);
        minutes = snapshot.minutes.slice(-30).map((minute) => ({ start: Date.parse(minute.start), clicks: minute.clicks }));
        today = snapshot.today.clicks;
        top = snapshot.top;
        // What came before this page: this minute's, and of the one before as much as is not over.
        const [before, here] = minutes.slice(-2), gone = now - here.start;
        recent = [[here.start, Math.round(before.clicks * (60000 - gone) / 60000)], [now, here.clicks]];
        draw(now);
      },
      tick(tick) {
        const now = Date.parse(tick.at);
        if (!minutes.length) return;
        while (now >= minutes[minutes.length - 1].start + 60000) {
          minutes.push({ start: minutes[minutes.length - 1].start + 60000, clicks: 0 });
          minutes.shift();
        }
        minutes[minutes.length - 1].clicks += tick.clicks;
        today += tick.clicks;
        recent.push([now, tick.clicks]);
        top = tick.top;
        draw(now);
      },
      change(change, id) {
        if (id <= last || !words[change.kind]) return;
        last = id;
        const [before, after] = words[change.kind](change), row = element("li", change.kind, "");
        row.append(element("span", "small soft", clock(new Date(change.at))), " ", before, about(change), after);
        $("#events").prepend(row);
        all("#events li").slice(12).forEach((old) => old.remove());
      },
    };
    const poll = async () => {
      source.close();
      clearTimeout(watch);
      await fresh("minute", "today", "uniques", "bars", "minutes", "top", "events", "standing");
      setTimeout(follow, 5000);
    };
    const follow = () => {
      source = new EventSource(live.dataset.source);
      const alive = () => { clearTimeout(watch); watch = setTimeout(poll, 15000); };
      alive();
      for (const name of Object.keys(on)) {
        source.addEventListener(name, (event) => { alive(); on[name](JSON.parse(event.data), +event.lastEventId); });
      }
      // What was cut off comes again by itself, from where it was; what was refused does not.
      source.onerror = () => { if (source.readyState === EventSource.CLOSED) poll(); };
    };
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Go on" : "Pause";
    });
    follow();
  }

  // Charts: read out point by point by the arrow keys, and shown where the pointer is. What is said is in the table beside.
  for (const plot of all("[data-chart]")) {
    const box = plot.parentNode, svg = $("svg", plot), rows = all("tbody tr", box), reading = $("output", box);
    const said = all("thead th", box).map((cell) => cell.dataset.said);
    if (!rows.length) continue;
    const words = ({ cells }) => cells[0].textContent + ": " + [...cells].flatMap((cell, at) => said[at] ? [cell.textContent + " " + said[at]] : []).join(", ");
    const left = +svg.dataset.left, step = +svg.dataset.step;
    const cross = document.createElementNS("http://www.w3.org/2000/svg", "line");
    cross.setAttribute("class", "cross");
    cross.setAttribute("y1", 24);
    cross.setAttribute("y2", 224);
    let here = rows.length;
    const show = (at) => {
      here = Math.min(rows.length - 1, Math.max(0, at));
      const x = left + here * step;
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);
      svg.append(cross);
      reading.textContent = words(rows[here]);
    };
    const hide = () => { cross.remove(); reading.textContent = "\u00a0"; };
    reading.hidden = false;
    hide();
    plot.tabIndex = 0;
    plot.setAttribute("role", "application");
    plot.setAttribute("aria-label", box.getAttribute("aria-label") + ". Left and right read it out");
    plot.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: rows.length - 1 }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      show(to);
      tell(reading.textContent);
    });
    plot.addEventListener("pointermove", (event) => {
      const { left: from, width } = svg.getBoundingClientRect();
      show(Math.round(((event.clientX - from) / width * 1000 - left) / step));
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
  }

  // Keys, where nobody types, unless they are switched off.
  const go = { d: "/-/", l: "/-/links", v: "/-/live", r: "/-/reports", s: "/-/settings" };
  const off = /(^|; )slugline_keys=off/.test(document.cookie);
  const help = async () => {
    let dialog = $("dialog");
    if (!dialog) {
      const found = await part("/-/keys"), keys = found && $("#shortcuts", found.page);
      if (!keys) { location.href = "/-/keys"; return; }
      dialog = document.createElement("dialog");
      dialog.ariaLabel = "Keyboard";
      dialog.append(keys);
      document.body.append(dialog);
      dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    }
    dialog.showModal();
  };
  const links = $("[data-keys]");
  if (links) links.addEventListener("click", (event) => { event.preventDefault(); help(); });
  const fresh = () => { if ($("#urls")) $("#urls").focus(); else location.href = "/-/"; };
  // The QR code of a link's page, unfolded.
  const qr = () => {
    const box = $("#qr");
    if (!box) return;
    box.parentElement.open = true;
    $("a", box).focus();
  };
  if (location.hash === "#qr") qr();
  // Keys of the row that is at hand.
  const at = {
    c: (row) => press($("[data-copy]", row)),
    q: (row, link) => { location.href = link.href + "#qr"; },
    e: (row, link) => { location.href = link.href + "#url"; },
    x: (row) => { const box = $("[name=code]", row); if (box) box.click(); },
  };
  const keys = {
    "?": help,
    n: fresh,
    c: fresh,
    q: qr,
    "/": () => { const search = $("input[type=search]"); if (search) search.focus(); else location.href = "/-/links"; },
    Escape: () => { all("tbody [name=code]:checked").forEach((box) => { box.checked = false; }); document.activeElement.blur(); },
  };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (off || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    if (/^(input|textarea|select)$/i.test(target.tagName) && target.type !== "checkbox") return;
    const marked = event.defaultPrevented || event.shiftKey ? null : $(`a[data-key="${CSS.escape(key)}"]`);
    if (marked) {
      event.preventDefault();
      marked.click();
      return;
    }
    const row = target.closest("table.links tbody tr"), rows = all("table.links tbody th a");
    const link = row && $("th a", row);
    if (key === "j" || key === "k") {
      const next = rows[rows.indexOf(link) + (key === "j" ? 1 : -1)];
      if (next) next.focus();
    } else if (link && at[key]) {
      event.preventDefault();
      at[key](row, link);
    } else if (keys[key]) {
      if (key !== "Escape") event.preventDefault();
      keys[key]();
    } else if (go[key]) {
      location.href = go[key];
    }
  });
})();
