// The in-app browser of one phone. Each phone has a host name of its own (phone-1.localhost), so that two phones
// signed in at the same time keep their cookies apart, as two real phones would.

import { h, iconButton } from "./dom.js";

const LOGICAL_WIDTH = 360;
const SIGN_IN = "/connect/oauth2/authorize";

/**
 * The address a phone really opens. Pages of the account (`origins`) and the sign-in page move to the phone's own
 * host, where the stand-in plays the browser of this one person; others stay as they are.
 */
export function addressFor(index, url, origins) {
  const target = new URL(url, origins[0] ?? location.href);
  if (target.origin === location.origin && target.pathname !== SIGN_IN) return { src: target.href, outside: false };
  if (!origins.includes(target.origin) && target.pathname !== SIGN_IN) return { src: target.href, outside: true };
  return { src: `http://phone-${index}.localhost:${location.port}${target.pathname}${target.search}${target.hash}`, outside: false };
}

/** Open a page over the phone; resolves nothing, closes by its own button or Escape. */
export function openFrame(phone, url, title) {
  if (!/^https?:/i.test(new URL(url, phone.wall.origins[0] ?? location.href).protocol)) return;
  phone.screen.querySelector(".frame")?.remove();
  const { src, outside } = addressFor(phone.index, url, phone.wall.origins);
  const page = h("iframe", { testid: "frame", title: title || "网页", src: outside ? undefined : src, name: `phone-${phone.index}` });
  const busy = h("div", { class: "frame-busy", "aria-hidden": "true" });
  const holder = h("div", { class: "frame-page" }, page);
  const heading = h("div", { class: "frame-title" }, title || phone.accountName);
  const close = () => {
    watcher.disconnect();
    phone.shell.classList.remove("widened");
    layer.remove();
    phone.focus();
  };
  const widen = () => phone.shell.classList.toggle("widened");
  const reload = () => {
    busy.hidden = false;
    page.src = src;
  };
  const layer = h(
    "section",
    { class: "frame", testid: "frame-layer", "aria-label": "网页", onkeydown: (event) => event.key === "Escape" && close() },
    h(
      "header",
      { class: "frame-bar" },
      iconButton("close", "关闭网页", close, { testid: "frame-close", size: 20 }),
      heading,
      iconButton("reload", "刷新", reload, { testid: "frame-reload", size: 18 }),
      iconButton("widen", "放大这台手机", widen, { testid: "frame-widen", size: 18 }),
    ),
    busy,
    outside ? warning(src, (go) => { page.src = go; holder.classList.add("shown"); }) : null,
    holder,
  );
  page.addEventListener("load", () => { busy.hidden = true; });
  if (outside) {
    holder.classList.remove("shown");
    busy.hidden = true;
  } else holder.classList.add("shown");

  // Pages are made for a real phone's width: lay them out at that width and zoom them down to the drawn phone.
  const fit = () => {
    page.style.zoom = Math.min(1, holder.clientWidth / LOGICAL_WIDTH);
  };
  const watcher = new ResizeObserver(fit);
  watcher.observe(holder);
  phone.screen.append(layer);
  fit();
  layer.querySelector("button").focus({ preventScroll: true });
}

function warning(address, go) {
  const box = h("div", { class: "frame-warning", testid: "frame-warning" });
  const proceed = () => {
    box.remove();
    go(address);
  };
  box.append(
    h("p", {}, "将要访问的网页不属于这个公众号："),
    h("p", { class: "address" }, address),
    h("button", { type: "button", class: "plain-button", onclick: proceed }, "继续访问"),
  );
  return box;
}
