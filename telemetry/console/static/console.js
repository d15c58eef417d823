// Keeps a page live: fetches its content anew, and puts it in place. Everything else works without it.
"use strict";

(() => {
  const MAX_PAUSE = 15; // seconds between two tries while the service does not answer
  const LONG_PAUSE = 15; // seconds after which a person who types or selects is told that the page waits for that
  const SCROLLED = ".scroll, .table";
  const FIELDS = "input:not([type=hidden]), select, textarea";
  const stale = document.getElementById("stale");
  let failures = 0;
  let ahead = 0;
  let readAt = Date.now();
  let wake = () => {};

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

  // Why the figures are old; nothing while they are not.
  function say(text) {
    if (!stale) return;
    if (stale.textContent !== text) stale.textContent = text;
    stale.hidden = !text;
  }

  // A person who types, selects text or has opened a list is not disturbed.
  function isBusy(main) {
    const active = document.activeElement;
    const typing = active && main.contains(active) && active.matches(FIELDS);
    const selection = document.getSelection();
    return typing || (selection && !selection.isCollapsed && main.contains(selection.anchorNode));
  }

  // Where an element is: by its id, else by what it leads to or is called, below the nearest element with an id, or in its form.
  function placeOf(main, element) {
    const value = (of, name) => CSS.escape(of.getAttribute(name));
    if (element.id) return { selector: `#${CSS.escape(element.id)}`, index: 0 };
    const around = element.form ? `form[action="${value(element.form, "action")}"]` : `#${value(element.parentElement.closest("[id]"), "id")}`;
    const name = ["href", "name", "aria-label"].find((each) => element.hasAttribute(each));
    const selector = `${around} ${element.localName}${name ? `[${name}="${value(element, name)}"]` : ""}`;
    return { selector, index: [...main.querySelectorAll(selector)].indexOf(element) };
  }

  const find = (main, place) => main.querySelectorAll(place.selector)[place.index];
  const all = (main, selector) => [...main.querySelectorAll(selector)];

  function isChanged(field) {
    if (!field.options) return field.value !== field.defaultValue;
    const initial = [...field.options].findIndex((each) => each.defaultSelected);
    return field.selectedIndex !== Math.max(0, initial);
  }

  // The first thing with an id that is in sight, and where: a page that grows above it is scrolled by as much.
  function firstInSight(main) {
    if (!window.scrollY) return null;
    const top = Math.max(0, main.parentElement.querySelector(".top")?.getBoundingClientRect().bottom || 0);
    const found = all(main, "[id]").find((each) => each.checkVisibility() && each.getBoundingClientRect().top >= top);
    return found ? { id: found.id, top: found.getBoundingClientRect().top } : null;
  }

  function replace(main, fresh) {
    const open = all(main, "details[id]").map((each) => [each.id, each.open]);
    const scrolled = all(main, SCROLLED).map((each) => [placeOf(main, each), each.scrollLeft, each.scrollTop]);
    const typed = all(main, FIELDS).filter(isChanged).map((each) => [placeOf(main, each), each.value]);
    const active = main.contains(document.activeElement) ? document.activeElement : null;
    const focused = active && active !== main ? [active, active.closest("[tabindex]")].filter((each) => each !== main).map((each) => placeOf(main, each)) : [];
    const inSight = firstInSight(main);
    for (const each of [...main.children]) if (!each.matches(".done")) each.remove(); // what was done is said until one goes on
    main.append(...fresh.children);
    Object.assign(main.dataset, { ...fresh.dataset });
    for (const [id, isOpen] of open) document.getElementById(id)?.toggleAttribute("open", isOpen);
    for (const [place, value] of typed) { const field = find(main, place); if (field) field.value = value; }
    for (const [place, left, top] of scrolled) find(main, place)?.scrollTo({ left, top, behavior: "instant" });
    const moved = inSight && document.getElementById(inSight.id);
    if (moved) window.scrollBy({ top: moved.getBoundingClientRect().top - inSight.top, behavior: "instant" });
    noteClock(main);
    showFiring(main);
    if (active) (focused.map((place) => find(main, place)).find(Boolean) || main).focus({ preventScroll: true });
  }

  // Who is not signed in any more is shown the form, which says so, and leads back here.
  function leave(main) {
    const form = main.dataset.signedOut;
    if (form) location.replace(`${form}&next=${encodeURIComponent(location.pathname + location.search)}`);
    else location.reload();
  }

  // Returns why the page could not be read; nothing if it could.
  async function read(main) {
    const response = await fetch(location.href, {
      headers: { "X-Console-Fragment": "1" }, credentials: "same-origin", redirect: "manual", signal: AbortSignal.timeout(15000),
    });
    if (response.type === "opaqueredirect") { leave(main); return ""; }
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("main");
    if (!response.ok || !fresh) return fresh?.querySelector("p")?.textContent || `The service answers with ${response.status}.`;
    if (document.hidden || isBusy(main)) return "";
    localize(fresh);
    replace(main, fresh);
    readAt = Date.now();
    return "";
  }

  async function refresh(main) {
    if (document.hidden) return;
    if (isBusy(main)) {
      const since = clock.format(new Date(readAt));
      if (!failures && Date.now() - readAt > 1000 * LONG_PAUSE) say(`These figures are those of ${since}: the page waits while you are in a field or have text selected.`);
      return;
    }
    const problem = await read(main).catch(() => "The service does not answer.");
    failures = problem ? failures + 1 : 0;
    say(failures < 2 ? "" : `${problem} These figures are old. The page tries again by itself.`);
  }

  async function loop() {
    const main = document.getElementById("main");
    const seconds = Number(main?.dataset.refresh || 0);
    if (!seconds) return;
    const pause = Math.min(Math.max(MAX_PAUSE, seconds), seconds * 2 ** Math.min(failures, 6));
    await new Promise((done) => { wake = done; setTimeout(done, 1000 * pause); });
    await refresh(main);
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
  window.addEventListener("online", () => wake());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });
  noteClock(document.getElementById("main"));
  setInterval(tick, 1000);
  loop();
})();
