// In place of the platform's script for pages (JS-SDK): what wx-open-subscribe shows, and the question it puts. Whether
// the page was signed as it has to be is looked at when it is answered, by bot/simulator/pagescript.py.

const given = {};
window.wx = { config: (values) => Object.assign(given, values), ready: (act) => act(), error: () => undefined };

class Subscribe extends HTMLElement {
  connectedCallback() {
    // What stands between the tags is not parsed yet when a tag is met.
    document.addEventListener("DOMContentLoaded", () => this.show());
    if (document.readyState !== "loading") this.show();
  }

  show() {
    if (this.shadowRoot) return;
    const parts = [...this.querySelectorAll('script[type="text/wxtag-template"]')].map((one) => one.textContent);
    this.attachShadow({ mode: "open" }).innerHTML = parts.join("");
    this.addEventListener("click", () => this.ask());
  }

  ask() {
    const box = document.createElement("dialog");
    box.innerHTML = "<p>要接收这种消息吗？</p>";
    box.style.cssText = "border: 0; border-radius: 12px; padding: 16px; text-align: center;";
    for (const [name, answer] of [["取消", "reject"], ["允许", "accept"]]) {
      const button = document.createElement("button");
      button.textContent = name;
      button.style.cssText = "margin: 0 8px; padding: 8px 24px; font-size: 16px;";
      button.onclick = () => this.answer(answer);
      box.append(button);
    }
    document.body.append(box);
    box.showModal();
  }

  answer(answer) {
    const form = document.createElement("form");
    form.method = "post";
    form.action = "/wx-open-subscribe";
    const page = location.pathname + location.search;
    const fields = { answer, template: this.getAttribute("template"), page, tags: (given.openTagList ?? []).join(",") };
    for (const name of ["appId", "timestamp", "nonceStr", "signature"]) fields[name] = given[name] ?? "";
    for (const [name, value] of Object.entries(fields)) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    document.body.append(form);
    form.submit();
  }
}
customElements.define("wx-open-subscribe", Subscribe);
