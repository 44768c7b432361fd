// What all pages do: colours, copying, asking before it is done, and parts that renew themselves.
(() => {
  "use strict";
  const root = document.documentElement;

  // Colours: as the system, light, dark; kept in this browser.
  const THEMES = ["", "light", "dark"];
  const chosen = () => root.dataset.theme || "";
  const nameTheme = () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.textContent = `Colours: ${chosen() || "auto"}`;
    }
  };
  const nextTheme = () => {
    const next = THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    try { if (next) localStorage.setItem("headgate-theme", next); else localStorage.removeItem("headgate-theme"); } catch { /* it lasts for this page */ }
    nameTheme();
    document.dispatchEvent(new CustomEvent("headgate:theme"));
  };

  const copy = async (button) => {
    const text = button.closest(".copy").querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without TLS there is no clipboard but the old one.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const words = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 1500);
  };

  const ask = (words) => new Promise((answer) => {
    const dialog = document.getElementById("confirm");
    document.getElementById("confirm-words").textContent = words;
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button, a");
    if (!button) return;
    if (button.matches("[data-theme-switch]")) nextTheme();
    else if (button.matches("[data-copy]")) copy(button);
    else if (button.matches("[data-pause]")) {
      const paused = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(paused));
      root.toggleAttribute("data-paused", paused);
      button.textContent = paused ? "Go on" : "Pause";
    } else if (button.matches("[data-confirm]") && !button.dataset.sure) {
      event.preventDefault();
      if (await ask(button.dataset.confirm)) {
        button.dataset.sure = "yes";
        button.click();
        delete button.dataset.sure;
      }
    }
  });
  document.addEventListener("change", (event) => {
    // A choice that takes effect at once; without script there is the button beside it.
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  // Parts that renew themselves: <section id="live" data-live="5">.
  const last = new Map();
  const busy = (element) => {
    const selection = getSelection();
    return element.contains(document.activeElement) && element !== document.activeElement
      || (selection && !selection.isCollapsed && element.contains(selection.anchorNode))
      || element.querySelector("details[open], dialog[open]");
  };
  const renew = () => {
    if (document.hidden || root.hasAttribute("data-paused") || !window.htmx) return;
    const now = performance.now();
    for (const element of document.querySelectorAll("[data-live][id]")) {
      const every = Number(element.dataset.live) * 1000;
      if (!last.has(element.id)) last.set(element.id, now);
      if (now - last.get(element.id) < every || busy(element)) continue;
      last.set(element.id, now);
      const selector = `#${CSS.escape(element.id)}`;
      window.htmx.ajax("GET", element.dataset.from || location.pathname + location.search, { target: selector, select: selector, swap: "outerHTML" });
    }
  };
  setInterval(renew, 500);
  // What could not be renewed is tried again: a gateway that restarts is no error of the page.
  document.addEventListener("htmx:afterSettle", () => {
    const go = document.querySelector("[data-go]");
    if (go) location.assign(go.dataset.go);
  });

  // On a phone the pages stand in a row that scrolls: the one that is open is in sight.
  const row = document.querySelector(".side nav");
  const here = row?.querySelector("[aria-current]");
  if (here) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.clientWidth) / 2;
  nameTheme();
})();
