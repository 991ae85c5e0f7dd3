// The stand-in's control API (docs/simulator.md): one function per path, a refused call throws one readable sentence.

async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined || body instanceof FormData ? {} : { "Content-Type": "application/json" },
      body: body === undefined || body instanceof FormData ? body : JSON.stringify(body),
    });
  } catch {
    throw new Error("替身平台没有回应，可能已经停了。");
  }
  const text = await answer.text();
  if (!answer.ok) throw new Error(readable(text) || `替身平台不接受（${answer.status}）。`);
  return text;
}

/** What people at this page run into, in their language; the rest stays as the stand-in says it. */
const IN_CHINESE = [
  [/^no QR code/, "平台没有发过这个二维码。"],
  [/^the clock (does not go back|stays)/, "时间只能往前拨，最远到 2100 年。"],
  [/no such button/, "菜单变了，请再点一次。"],
  [/^the bot did not move its clock/, "机器人没有回应，时间没有拨动。它可能停了，或者没有打开演示模式。"],
];

function readable(text) {
  const said = sentence(text);
  return IN_CHINESE.find(([pattern]) => pattern.test(said))?.[1] ?? said;
}

function sentence(text) {
  try {
    const body = JSON.parse(text);
    return body.error ?? body.errmsg ?? "";
  } catch {
    return text.trim().split("\n")[0].slice(0, 200);
  }
}

const getJson = async (path) => JSON.parse(await call("GET", path));
const postJson = async (path, body = {}) => {
  const text = await call("POST", path, body);
  return text ? JSON.parse(text) : {};
};

export const state = () => getJson("/sim/state");
export const changes = (after, wait) => getJson(`/sim/changes?after=${after}&wait=${wait}`);
export const log = (after) => getJson(`/sim/log?after=${after}`);
export const advance = (seconds) => postJson("/sim/time", { advance_seconds: seconds });
export const faults = () => getJson("/sim/faults");
export const setFaults = (switches) => postJson("/sim/faults", switches);
export const addPhone = (name, number) => postJson("/sim/phones", { name, follow: true, ...(number && { number }) });
export const mediaUrl = (mediaId) => `/sim/media/${encodeURIComponent(mediaId)}`;

/** What one user can do: every act answers at once (`wait=0`), the screen tells what came of it. */
export function phoneApi(openid) {
  const base = `/sim/phones/${encodeURIComponent(openid)}`;
  const act = (name, body) => postJson(`${base}/${name}?wait=0`, body);
  const upload = (name, blob, fields) => {
    const form = new FormData();
    form.append("media", blob, fields.filename);
    for (const [key, value] of Object.entries(fields)) if (key !== "filename") form.append(key, value);
    return act(name, form);
  };
  return {
    screen: (after) => getJson(`${base}/screen?after=${after}`),
    menu: () => getJson(`${base}/menu`),
    transcript: () => call("GET", `${base}/transcript`),
    say: (text) => act("say", { text }),
    image: (blob, filename) => upload("image", blob, { filename }),
    voice: (blob, filename, format) => upload("voice", blob, { filename, format }),
    location: (place) => act("location", place),
    sticker: () => act("sticker"),
    tapMenu: (key, more = {}) => act("menu", { key, ...more }),
    tap: (id, content) => act("tap", { id, content }),
    scan: (code) => act("scan", code),
    follow: () => act("follow"),
    unfollow: () => act("unfollow"),
    video: (blob, filename) => upload("video", blob, { filename }),
    file: (title, size) => act("file", { title, size }),
    sms: (text) => act("sms", { text }),
    pickUp: () => act("pick_up"),
    press: (key) => act("press", { key }),
    hangUp: () => act("hang_up"),
    set: (change) => postJson(`${base}/settings`, change),
    pages: () => getJson(`${base}/pages`),
    closePages: () => postJson(`${base}/pages`).catch(() => undefined),
  };
}
