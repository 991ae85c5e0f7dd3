// Small helpers to make elements, drawn icons and short notices; everything shown goes in as text, never as HTML.

/** Make an element: h("button", {class: "x", onclick: f, testid: "send"}, "text", child, ...). */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "testid") node.dataset.testid = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") node.style.cssText = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SHAPES = {
  back: '<path d="M15 4 7 12l8 8"/>',
  more: '<g fill="currentColor" stroke="none"><circle cx="5" cy="12" r="1.7"/><circle cx="12" cy="12" r="1.7"/><circle cx="19" cy="12" r="1.7"/></g>',
  close: '<path d="m5 5 14 14M19 5 5 19"/>',
  keyboard: '<rect x="3" y="6" width="18" height="12" rx="2"/><path d="M6.5 10h.01M10 10h.01M14 10h.01M17.5 10h.01M8 14.500h8"/>',
  lines: '<path d="M5 8h14M5 12h14M5 16h14"/>',
  voice: '<circle cx="12" cy="12" r="9"/><path d="M9 12h.01M11 9.500c1.5 1.5 1.5 3.5 0 5M13.5 7.500c2.8 2.8 2.8 6.2 0 9"/>',
  smile: '<circle cx="12" cy="12" r="9"/><path d="M8.5 10h.01M15.5 10h.01M8 14c1.8 2.6 6.2 2.6 8 0"/>',
  plus: '<circle cx="12" cy="12" r="9"/><path d="M12 7.500v9M7.5 12h9"/>',
  add: '<path d="M12 5v14M5 12h14"/>',
  photo: '<rect x="3" y="5" width="18" height="14" rx="2"/><circle cx="8.5" cy="10" r="1.5"/><path d="m4 17 5-4 3 2.500L16 11l4.5 4.5"/>',
  camera: '<path d="M4 8h3.500L9 5.500h6L16.5 8H20v11H4z"/><circle cx="12" cy="13" r="3.5"/>',
  mic: '<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M6 11.500a6 6 0 0 0 12 0M12 17.500V21"/>',
  file: '<path d="M6 3h8l4 4v14H6zM14 3v4h4"/>',
  pin: '<path d="M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11z"/><circle cx="12" cy="10" r="2.3"/>',
  scan: '<path d="M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16"/>',
  lock: '<rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>',
  log: '<path d="M4 6h4v12H4zM11 9h9M11 12h9M11 15h6"/>',
  fault: '<path d="M12 4 2.5 20h19zM12 10v4.500M12 17.300h.01"/>',
  download: '<path d="M12 4v11M7.5 11l4.5 4.500L16.5 11M5 20h14"/>',
  reload: '<path d="M19 12a7 7 0 1 1-2.2-5.100M19 4v4h-4"/>',
  widen: '<path d="M9 5 3 12l6 7M15 5l6 7-6 7"/>',
  next: '<path d="m9 5 7 7-7 7"/>',
  help: '<circle cx="12" cy="12" r="9"/><path d="M9.5 9.500a2.5 2.5 0 1 1 3.5 2.300c-.7.3-1 .8-1 1.700M12 16.500h.01"/>',
  message: '<path d="M4 5h16v11H11l-4 4v-4H4z"/>',
  phone: '<path d="M6 3.500h3.500l1.500 4.500-2.200 1.600a13 13 0 0 0 5.600 5.600l1.600-2.200 4.500 1.500V18a2.500 2.500 0 0 1-2.700 2.500A16.500 16.500 0 0 1 3.500 6.200 2.500 2.500 0 0 1 6 3.500z"/>',
  hangup: '<path d="M3 15.500c5-5.300 13-5.300 18 0l-2.600 2.700-3.700-1.900v-2.400a11 11 0 0 0-5.400 0v2.400l-3.700 1.900z"/>',
  up: '<path d="M12 19V6M6 11.500 12 5.500l6 6"/>',
  play: '<path d="M7 4.500v15l12-7.500z"/>',
  stop: '<rect x="6" y="6" width="12" height="12" rx="1"/>',
  sunrise: '<path d="M3 18h18M6 18a6 6 0 0 1 12 0M12 4v4M4.500 10l1.500 1.200M19.500 10 18 11.200M9.500 6.500 12 4l2.500 2.500"/>',
  video: '<rect x="3" y="6" width="12" height="12" rx="2"/><path d="m15 10.500 6-3v9l-6-3z"/>',
  calendar: '<rect x="4" y="5" width="16" height="15" rx="2"/><path d="M4 10h16M8 3v4M16 3v4"/>',
};

/** An icon drawn in the current colour; the button around it carries the label. */
export function icon(name, size = 22) {
  const box = document.createElement("span");
  box.className = "icon";
  box.setAttribute("aria-hidden", "true");
  box.innerHTML =
    `<svg viewBox="0 0 24 24" width="${size}" height="${size}" fill="none" stroke="currentColor" ` +
    `stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">${SHAPES[name]}</svg>`;
  return box;
}

/** A button that shows an icon and says what it does to those who cannot see it. */
export function iconButton(name, label, onclick, { size, ...props } = {}) {
  return h("button", { type: "button", title: label, "aria-label": label, onclick, ...props }, icon(name, size));
}

/** Say one sentence at the bottom of the page for a few seconds. */
export function toast(sentence) {
  const note = h("div", { class: "toast", testid: "toast" }, sentence);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

/** Run something the person asked for; what goes wrong is said in one sentence instead of being lost. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message);
    return undefined;
  }
}

/** Ask the person for a file; resolves to the File, or to undefined when they change their mind. */
export function pickFile(accept) {
  return new Promise((resolve) => {
    const input = h("input", { type: "file", accept, testid: "file-input", style: "display:none" });
    const finish = () => {
      input.remove();
      resolve(input.files[0]);
    };
    input.addEventListener("change", finish);
    input.addEventListener("cancel", finish);
    document.body.append(input);
    input.click();
  });
}

/** Hand a text to the person as a file. */
export function saveText(name, text) {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
