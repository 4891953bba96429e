// Pages in frames are light or dark as the page around them.
const frames = document.querySelectorAll(".explained iframe");
const tell = (frame) => {
  const theme = document.body.dataset.mdColorScheme === "slate" ? "dark" : "light";
  frame.contentWindow.postMessage({ theme }, "*");
};
for (const frame of frames) {
  frame.addEventListener("load", () => tell(frame));
}
new MutationObserver(() => frames.forEach(tell)).observe(document.body, {
  attributeFilter: ["data-md-color-scheme"],
});
