// Reads a QR code out of a picture: finds its three corners, samples the modules, and leaves the bits to qrbits.js.
// Meant for flat pictures (screens, files, print shops), at any size and turned any way.

import { decode } from "./qrbits.js";

const LARGEST_SIDE = 900;

/** What the code in a picture says, or undefined; the picture must come from this page's own address or a file. */
export async function readPicture(source) {
  const image = new Image();
  image.src = source;
  try {
    await image.decode();
    return readPixels(pixelsOf(image));
  } catch {
    return undefined;
  }
}

function pixelsOf(image) {
  const scale = Math.min(1, LARGEST_SIDE / Math.max(image.naturalWidth, image.naturalHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  return pen.getImageData(0, 0, canvas.width, canvas.height);
}

/** The same for pixels ({data, width, height}, RGBA). */
export function readPixels({ data, width, height }) {
  const grey = new Uint8Array(width * height);
  for (let at = 0; at < grey.length; at += 1) grey[at] = (data[at * 4] * 3 + data[at * 4 + 1] * 6 + data[at * 4 + 2]) / 10;
  const limit = threshold(grey);
  const dark = (x, y) => x >= 0 && y >= 0 && x < width && y < height && grey[y * width + x] < limit;
  for (const corners of cornerTriples(finders(dark, width, height))) {
    const text = readAt(dark, corners);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** Otsu's: the grey that parts dark and light best. */
function threshold(grey) {
  const counts = new Array(256).fill(0);
  for (const value of grey) counts[value] += 1;
  const sum = counts.reduce((total, count, value) => total + count * value, 0);
  let [below, sumBelow, best, limit] = [0, 0, -1, 128];
  for (let value = 0; value < 255; value += 1) {
    below += counts[value];
    sumBelow += counts[value] * value;
    const above = grey.length - below;
    if (!below || !above) continue;
    const between = below * above * (sumBelow / below - (sum - sumBelow) / above) ** 2;
    if (between > best) [best, limit] = [between, value + 1];
  }
  return limit;
}

const looksLikeFinder = (runs) => {
  const unit = runs.reduce((total, run) => total + run, 0) / 7;
  return unit >= 1 && [1, 1, 3, 1, 1].every((times, index) => Math.abs(runs[index] - times * unit) <= times * unit * 0.6);
};

/** Centres of the 1:1:3:1:1 squares: [{x, y, unit}]. */
function finders(dark, width, height) {
  const found = [];
  for (let y = 0; y < height; y += 1) {
    let runs = [0, 0, 0, 0, 0];
    let last = false;
    for (let x = 0; x <= width; x += 1) {
      const now = x < width && dark(x, y);
      if (now === last) {
        runs[4] += 1;
        continue;
      }
      if (last && looksLikeFinder(runs)) confirm(found, dark, x - runs[4] - runs[3] - runs[2] / 2, y, runs);
      runs = [...runs.slice(1), 1];
      last = now;
    }
  }
  return found.filter((one) => one.seen > 1);
}

function confirm(found, dark, x, y, runs) {
  const upright = across(dark, Math.floor(x), y);
  if (!upright || !looksLikeFinder(upright.runs)) return;
  const unit = (runs.reduce((a, b) => a + b, 0) + upright.runs.reduce((a, b) => a + b, 0)) / 14;
  const near = found.find((one) => Math.hypot(one.x - x, one.y - upright.middle) < one.unit * 3);
  if (!near) return void found.push({ x, y: upright.middle, unit, seen: 1 });
  const part = 1 / (near.seen += 1);
  near.x += (x - near.x) * part;
  near.y += (upright.middle - near.y) * part;
  near.unit += (unit - near.unit) * part;
}

/** The five runs up and down through a point, and the middle of them. */
function across(dark, x, y) {
  if (!dark(x, y)) return undefined;
  const walk = (step) => {
    const lengths = [0, 0, 0];
    let at = y + step;
    for (let part = 0; part < 3; part += 1) {
      while (dark(x, at) === (part !== 1) && lengths[part] < 400) {
        lengths[part] += 1;
        at += step;
      }
    }
    return lengths;
  };
  const up = walk(-1);
  const down = walk(1);
  return { runs: [up[2], up[1], up[0] + 1 + down[0], down[1], down[2]], middle: y + (down[0] - up[0]) / 2 + 0.5 };
}

/** Every three squares that could be one code, as {corner, right, down}, the likeliest first. */
function cornerTriples(all) {
  const squares = all.sort((a, b) => b.seen - a.seen).slice(0, 9);
  const triples = [];
  for (const corner of squares) {
    for (const right of squares) {
      for (const down of squares) {
        if (corner === right || corner === down || right === down) continue;
        const [ax, ay, bx, by] = [right.x - corner.x, right.y - corner.y, down.x - corner.x, down.y - corner.y];
        const [a, b] = [Math.hypot(ax, ay), Math.hypot(bx, by)];
        const skew = Math.abs(a - b) / Math.max(a, b) + Math.abs(ax * bx + ay * by) / (a * b);
        if (ax * by - ay * bx > 0 && skew < 0.25) triples.push({ corner, right, down, skew });
      }
    }
  }
  return triples.sort((a, b) => a.skew - b.skew);
}

function readAt(dark, { corner, right, down }) {
  const unit = (corner.unit + right.unit + down.unit) / 3;
  const span = (Math.hypot(right.x - corner.x, right.y - corner.y) + Math.hypot(down.x - corner.x, down.y - corner.y)) / 2;
  const guess = Math.round((span / unit + 7 - 17) / 4);
  for (const version of [guess, guess - 1, guess + 1]) {
    if (version < 1 || version > 10) continue;
    const size = version * 4 + 17;
    const sample = (row, column) => {
      const [u, v] = [(column - 3) / (size - 7), (row - 3) / (size - 7)];
      return dark(
        Math.floor(corner.x + (right.x - corner.x) * u + (down.x - corner.x) * v),
        Math.floor(corner.y + (right.y - corner.y) * u + (down.y - corner.y) * v),
      );
    };
    const text = decode(Array.from({ length: size }, (_, row) => Array.from({ length: size }, (__, column) => sample(row, column))));
    if (text !== undefined) return text;
  }
  return undefined;
}
