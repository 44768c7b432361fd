// Before anything is painted: the colours that were chosen here, if any were.
(() => {
  try {
    const chosen = localStorage.getItem("headgate-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* a browser that keeps nothing shows the system's colours */ }
})();
