/** Elements made of text and attributes only: nothing on a page is parsed as markup. */

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined>;

const SVG = "http://www.w3.org/2000/svg";

/** An element: `make("button.quiet.small", {title: "…"}, "text")`. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  selector: Tag | `${Tag}.${string}`,
  attributes?: Attributes,
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag!) as HTMLElementTagNameMap[Tag];
  if (classes.length) element.classList.add(...classes);
  return furnish(element, attributes, children);
}

export function makeSvg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes?: Attributes,
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

/** A button with its name and what it does. */
export function makeButton(
  content: Child,
  act: () => void,
  attributes: Attributes = {},
): HTMLButtonElement {
  const button = make("button", { type: "button", ...attributes }, content);
  button.addEventListener("click", act);
  return button;
}

/** A link within the page. A frame without an address of its own cannot follow one by itself. */
export function makeJump(id: string, text: string, attributes: Attributes = {}): HTMLAnchorElement {
  const link = make("a", { href: `#${id}`, ...attributes }, text);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const target = document.getElementById(id);
    target?.scrollIntoView();
    target?.focus({ preventScroll: true });
  });
  return link;
}

/** Text in which `code` between backticks is set as code. */
export function prose(text: string): Node[] {
  return text
    .split("`")
    .map((part, at) => (at % 2 ? make("code", {}, part) : document.createTextNode(part)));
}

function furnish<Kind extends Element>(
  element: Kind,
  attributes: Attributes | undefined,
  children: Child[],
): Kind {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((each): each is Node | string => Boolean(each)));
  return element;
}
