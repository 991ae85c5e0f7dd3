// Hands the page's signature to the platform's script, which then puts the question; what was answered reaches the bot
// as an event a moment later, so the page is shown anew.
const told = document.currentScript.dataset;
wx.config({
  debug: false,
  appId: told.app,
  timestamp: Number(told.timestamp),
  nonceStr: told.nonceText,
  signature: told.signature,
  jsApiList: [],
  openTagList: ["wx-open-subscribe"],
});
for (const tag of document.querySelectorAll("wx-open-subscribe")) {
  tag.addEventListener("success", () => setTimeout(() => location.reload(), 1500));
}
