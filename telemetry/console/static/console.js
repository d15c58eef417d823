// Keeps a page live: fetches its content anew, and puts it in place. Everything else works without it.
"use strict";

(() => {
  const MAX_PAUSE = 60;
  const stale = document.getElementById("stale");
  const SCROLLED = ".scroll, .table";
  let failures = 0;
  let ahead = 0;

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
    const ofAxis = { minute: (at) => minute.format(at), day: (at) => day.format(at), "day-minute": (at) => `${day.format(at)} ${minute.format(at)}` };
    for (const element of root.querySelectorAll("time[data-style]")) {
      const show = ofAxis[element.dataset.style];
      if (show) element.textContent = show(new Date(element.dateTime));
    }
    for (const element of root.querySelectorAll("[data-zone]")) element.textContent = zone;
  }

  // How far the browser's clock is ahead of the service's.
  function noteClock(main) {
    if (main?.dataset.now) ahead = Date.now() - 1000 * Number(main.dataset.now);
  }

  function ago(at) {
    const seconds = (Date.now() - ahead - at) / 1000, size = Math.abs(seconds);
    if (size < 1.5) return "just now";
    const rough = size < 120 ? `${size.toFixed(0)} s` : size < 7200 ? `${Math.floor(size / 60)} min`
      : size < 172800 ? `${Math.floor(size / 3600)} h` : `${Math.floor(size / 86400)} days`;
    return seconds > 0 ? `${rough} ago` : `in ${rough}`;
  }

  // Relative times go on while the page itself is not fetched anew.
  function tick() {
    if (document.hidden) return;
    for (const element of document.querySelectorAll('time[data-style="ago"]')) {
      const text = ago(Date.parse(element.dateTime));
      if (text !== element.textContent) element.textContent = text;
    }
  }

  function showFiring(main) {
    const badge = document.querySelector(".badge");
    if (!badge) return;
    badge.textContent = main.dataset.firing;
    badge.hidden = main.dataset.firing === "0";
  }

  // A person who types, selects text or has opened a list is not disturbed.
  function isBusy(main) {
    const active = document.activeElement;
    const typing = active && main.contains(active) && active.matches("input, select, textarea");
    const selection = document.getSelection();
    return typing || (selection && !selection.isCollapsed && main.contains(selection.anchorNode));
  }

  function replace(main, fresh) {
    const details = [...main.querySelectorAll("details[id]")].map((each) => [each.id, each.open]);
    const scrolled = [...main.querySelectorAll(SCROLLED)].map((each) => [each.scrollLeft, each.scrollTop]);
    const typed = [...main.querySelectorAll("input:not([type=hidden]), select, textarea")].filter(isChanged).map((each) => [path(main, each), each.value]);
    const focus = document.activeElement && main.contains(document.activeElement) ? path(main, document.activeElement) : null;
    main.replaceChildren(...fresh.childNodes);
    Object.assign(main.dataset, { ...fresh.dataset });
    for (const [id, open] of details) document.getElementById(id)?.toggleAttribute("open", open);
    main.querySelectorAll(SCROLLED).forEach((each, index) => { [each.scrollLeft, each.scrollTop] = scrolled[index] || [0, 0]; });
    for (const [place, value] of typed) { const field = find(main, place); if (field) field.value = value; }
    noteClock(main);
    showFiring(main);
    if (focus) find(main, focus)?.focus({ preventScroll: true });
  }

  function isChanged(field) {
    if (!field.options) return field.value !== field.defaultValue;
    const initial = [...field.options].findIndex((each) => each.defaultSelected);
    return field.selectedIndex !== Math.max(0, initial);
  }

  // Where an element is: by its id, its URL, or its place among its siblings.
  function path(main, element) {
    if (element.id) return `#${CSS.escape(element.id)}`;
    if (element.name && element.form && element.form.elements[element.name] === element && document.getElementsByName(element.name).length === 1) return `[name="${CSS.escape(element.name)}"]`;
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

  // A link to something in a closed part, such as an alert's message, opens that.
  function openTarget() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches("details")) target.open = true;
  }

  localize(document);
  openTarget();
  window.addEventListener("hashchange", openTarget);
  noteClock(document.getElementById("main"));
  setInterval(tick, 1000);
  loop();
})();
