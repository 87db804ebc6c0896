"""Accessibility that Gradio lacks for keyboards and screen readers, added in the browser.

Image buttons get labels, empty panels a role, tabs arrow keys, and scrollable elements a place in
the tab order, including elements that are added later.
"""

from __future__ import annotations

_SCRIPT = """
(() => {
  const label = (button) => {
    const block = button.closest(".block, .gr-group, [id]");
    const words = block && block.querySelector('[data-testid="block-label"], .label-wrap span');
    const picture = button.querySelector("img");
    return (picture && picture.alt) || (words && words.textContent.trim()) || "";
  };
  const mend = () => {
    for (const button of document.querySelectorAll("button:not([aria-label]):not([title])")) {
      if (!button.textContent.trim() && button.querySelector("img, svg")) {
        button.setAttribute("aria-label", "Open: " + (label(button) || "picture"));
      }
    }
    for (const empty of document.querySelectorAll("div.empty[aria-label]:not([role])")) {
      empty.setAttribute("role", "img");
    }
    for (const picture of document.querySelectorAll(".gradio-container img:not([alt])")) {
      picture.alt = "";
    }
    const wide = ".katex-display, .prose table, .prose pre, .cm-scroller, .table-wrap";
    for (const place of document.querySelectorAll(wide)) {
      const scrolls = place.scrollWidth > place.clientWidth + 1;
      if (scrolls && place.tabIndex < 0) {
        place.tabIndex = 0;
        if (!place.matches("table")) place.setAttribute("role", "group");
        if (!place.getAttribute("aria-label")) place.setAttribute("aria-label", "Scrolls sideways");
      }
    }
    for (const tab of document.querySelectorAll('[role="tab"]')) {
      tab.tabIndex = tab.getAttribute("aria-selected") === "true" ? 0 : -1;
    }
  };
  let waits = false;
  const soon = () => {
    if (waits) return;
    waits = true;
    setTimeout(() => { waits = false; mend(); }, 50);
  };
  new MutationObserver(soon).observe(document.documentElement, {
    subtree: true, childList: true, attributes: true,
    attributeFilter: ["aria-selected", "class", "src"],
  });
  addEventListener("resize", soon);
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest && event.target.closest('[role="tab"]');
    const list = tab && tab.closest('[role="tablist"]');
    const ways = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: 0, End: 0 };
    if (!list || !(event.key in ways) || event.ctrlKey || event.altKey || event.metaKey) return;
    const tabs = [...list.querySelectorAll('[role="tab"]')].filter(
      (found) => found.offsetParent && !found.disabled);
    const here = tabs.indexOf(tab), way = ways[event.key];
    const next = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1
      : (here + way + tabs.length) % tabs.length;
    event.preventDefault();
    tabs[next].click();
    tabs[next].focus();
  }, true);
  soon();
})();
"""

HEAD = f"<script>{_SCRIPT}</script>"
"""The script, for the head of the app's page."""
