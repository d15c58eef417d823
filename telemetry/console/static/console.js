// Keeps a page live: fetches its content anew, and puts it in place. Everything else works without it.
"use strict";

(() => {
  const MAX_PAUSE = 60;
  const stale = document.getElementById("stale");
  let failures = 0;

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const minute = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat([], { day: "2-digit", month: "short" });
  const old = (at) => Math.abs(Date.now() - at) >= 86400000;

  // Times in the browser's zone; the server has written them in UTC, and so are they on hover.
  function localize(root) {
    for (const element of root.querySelectorAll('time[data-style="clock"]')) {
      const at = new Date(element.dateTime);
      element.textContent = old(at) ? `${day.format(at)} ${minute.format(at)}` : clock.format(at);
    }
    for (const label of root.querySelectorAll("text[data-time]")) {
      const at = new Date(Number(label.dataset.time) * 1000);
      label.textContent = label.textContent.includes(":") ? minute.format(at) : day.format(at);
    }
    for (const element of root.querySelectorAll("[data-zone]")) element.textContent = zone;
  }

  // A person who types, selects text or has opened a list is not disturbed.
  function isBusy(main) {
    const active = document.activeElement;
    const typing = active && main.contains(active) && active.matches("input, select, textarea");
    const selection = document.getSelection();
    return typing || (selection && !selection.isCollapsed && main.contains(selection.anchorNode));
  }

  function replace(main, fresh) {
    const opened = [...main.querySelectorAll("details[open][id]")].map((each) => each.id);
    const scrolled = [...main.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    const focus = document.activeElement && main.contains(document.activeElement) ? path(main, document.activeElement) : null;
    main.replaceChildren(...fresh.childNodes);
    main.dataset.refresh = fresh.dataset.refresh;
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    main.querySelectorAll(".scroll").forEach((each, index) => { each.scrollLeft = scrolled[index] || 0; });
    if (focus) find(main, focus)?.focus({ preventScroll: true });
  }

  // Where an element is: by its id, its URL, or its place among its siblings.
  function path(main, element) {
    if (element.id) return `#${CSS.escape(element.id)}`;
    if (element.getAttribute("href")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
    const places = [];
    for (let each = element; each !== main; each = each.parentElement) {
      places.unshift(`:nth-child(${[...each.parentElement.children].indexOf(each) + 1})`);
    }
    return `:scope > ${places.join(" > ")}`;
  }

  function find(main, selector) {
    try { return main.querySelector(selector); } catch { return null; }
  }

  async function refresh(main) {
    if (document.hidden || isBusy(main)) return;
    const response = await fetch(location.href, {
      headers: { "X-Console-Fragment": "1" }, credentials: "same-origin", redirect: "manual", signal: AbortSignal.timeout(15000),
    });
    if (response.type === "opaqueredirect") { location.reload(); return; }
    const text = await response.text();
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("main");
    if (!response.ok || !fresh) throw new Error(String(response.status));
    if (document.hidden || isBusy(main)) return;
    localize(fresh);
    replace(main, fresh);
  }

  async function loop() {
    const main = document.getElementById("main");
    const seconds = Number(main?.dataset.refresh || 0);
    if (!seconds) return;
    await new Promise((done) => setTimeout(done, 1000 * Math.min(MAX_PAUSE, seconds * 2 ** Math.min(failures, 6))));
    try {
      await refresh(main);
      failures = 0;
    } catch {
      failures += 1;
    }
    if (stale) stale.hidden = failures < 2;
    loop();
  }

  localize(document);
  document.documentElement.classList.add("scripted");
  loop();
})();
