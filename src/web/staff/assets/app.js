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

  // The live board: numbers as they come; while none come, the page's own, every few seconds.
  const live = $("#live");
  if (live) {
    const number = (n) => n.toLocaleString("en-US");
    const clock = (at) => at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: live.dataset.zone });
    const words = {
      created: (e) => "New link: " + e.value,
      changed: (e) => "Changed: " + e.value,
      retired: (e) => "Retired: " + e.value,
      milestone: (e) => e.code + " passed " + number(+e.value) + " clicks",
      spike: (e) => e.code + " takes off: " + number(+e.value) + " clicks in ten minutes",
      source: (e) => "Many come from " + e.value,
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
    const links = () => {
      const list = $("#top"), shown = JSON.stringify(top), linked = "linked" in live.dataset;
      if (list.dataset.shown === shown) return;
      list.dataset.shown = shown;
      list.replaceChildren(...top.slice(0, +live.dataset.rows).map((link) => {
        const row = document.createElement("li"), title = element(linked ? "a" : "span", "story", link.title);
        if (linked) title.href = "/-/links/" + encodeURIComponent(link.code);
        row.append(title, " ", element("span", "code soft", link.code), element("b", "", number(link.clicks)));
        return row;
      }));
      $("#quiet").hidden = top.length > 0;
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
        const row = element("li", "", " " + words[change.kind](change));
        row.prepend(element("span", "small soft", clock(new Date(change.at))));
        $("#events").prepend(row);
        all("#events li").slice(12).forEach((old) => old.remove());
      },
    };
    const poll = async () => {
      source.close();
      clearTimeout(watch);
      const answer = await fetch(location.href).catch(() => null);
      if (answer && answer.ok && !answer.redirected && !paused) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const id of ["minute", "today", "uniques", "bars", "minutes", "top", "events", "standing"]) {
          const from = fresh.getElementById(id);
          if (from) $("#" + id).replaceChildren(...from.childNodes);
        }
      }
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

  // Keys, where nobody types.
  const go = { d: "/-/", l: "/-/links", v: "/-/live", r: "/-/reports", s: "/-/settings" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(input|textarea|select)$/i.test(event.target.tagName)) return;
    const marked = event.defaultPrevented || event.shiftKey ? null : $(`[data-key="${CSS.escape(event.key)}"]`);
    if (marked) {
      event.preventDefault();
      marked.click();
    } else if (event.key === "/") {
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
