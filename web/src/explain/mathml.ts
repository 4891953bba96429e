/** Formulas in mathematical type. */

const MATHML = "http://www.w3.org/1998/Math/MathML";
const ATTRIBUTES = new Set([
  "mathvariant",
  "stretchy",
  "form",
  "fence",
  "separator",
  "lspace",
  "rspace",
  "largeop",
  "movablelimits",
  "accent",
  "columnalign",
  "displaystyle",
  "linethickness",
  "width",
]);

/** The formula that Python wrote; elements of mathematics alone are taken over. */
export function formulaElement(mathml: string, label: string): Element {
  const parsed = new DOMParser().parseFromString(mathml, "application/xml").documentElement;
  const math = element("math");
  math.setAttribute("aria-label", label);
  const inner = parsed.localName === "math" ? [...parsed.childNodes] : [];
  if (inner.length) math.append(row(...inner.map(adopt)));
  else math.append(element("mtext", label));
  return math;
}

function adopt(node: Node): Node {
  if (!(node instanceof Element)) return document.createTextNode(node.textContent ?? "");
  const copy = element(/^m[a-z]+$/.test(node.localName) ? node.localName : "mtext");
  for (const { name, value } of node.attributes) {
    if (ATTRIBUTES.has(name)) copy.setAttribute(name, value);
  }
  copy.append(...[...node.childNodes].map(adopt));
  if (copy.localName === "mtext") copy.textContent = copy.textContent!.replace(/^ | $/g, "\u00a0");
  return copy;
}

function row(...children: Node[]): Element {
  const made = element("mrow");
  made.append(...children);
  return made;
}

function element(tag: string, text?: string): Element {
  const made = document.createElementNS(MATHML, tag);
  if (text) made.textContent = text;
  return made;
}
