// Wire texts made readable: XML one element a line, JSON indented, everything else as it came.

/** The text as a person would lay it out. */
export function pretty(text) {
  const trimmed = text.trim();
  if (trimmed.startsWith("<xml")) return xml(trimmed) ?? text;
  if (!/^[[{]/.test(trimmed)) return text;
  try {
    return JSON.stringify(JSON.parse(trimmed), null, 2);
  } catch {
    return text;
  }
}

function xml(text) {
  const { documentElement } = new DOMParser().parseFromString(text, "text/xml");
  return documentElement.getElementsByTagName("parsererror").length ? undefined : lines(documentElement, "").join("\n");
}

/** An element that holds only text stays on one line, without the CDATA around it. */
function lines(element, indent) {
  const { tagName, children, textContent } = element;
  if (children.length === 0) return [`${indent}<${tagName}>${textContent}</${tagName}>`];
  return [`${indent}<${tagName}>`, ...[...children].flatMap((child) => lines(child, `${indent}  `)), `${indent}</${tagName}>`];
}
