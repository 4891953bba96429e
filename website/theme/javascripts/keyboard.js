// What the theme's script makes and leaves unsaid: the copy button of a block of code stands in a
// <nav>, which is no landmark; a table that scrolls is reached by keyboard.
new MutationObserver(() => {
  for (const nav of document.querySelectorAll(".md-code__nav")) {
    nav.role = "none";
  }
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset__table > table")) {
    table.tabIndex = 0;
  }
}).observe(document.body, { childList: true, subtree: true });
