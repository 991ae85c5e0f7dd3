// From the modules of a QR code (versions 1 to 10) to its text: format, mask, blocks, error correction, segments.

const LEVELS = ["M", "L", "H", "Q"];
const CHECK_BYTES = {
  L: [7, 10, 15, 20, 26, 18, 20, 24, 30, 18], M: [10, 16, 26, 18, 24, 16, 18, 22, 22, 26],
  Q: [13, 22, 18, 26, 18, 24, 18, 22, 20, 24], H: [17, 28, 22, 16, 22, 28, 26, 26, 24, 28],
};
const BLOCKS = {
  L: [1, 1, 1, 1, 1, 2, 2, 2, 2, 4], M: [1, 1, 1, 2, 2, 4, 4, 4, 5, 5], Q: [1, 1, 2, 2, 4, 4, 6, 6, 8, 8], H: [1, 1, 2, 4, 4, 4, 5, 6, 8, 8],
};
const MASKS = [
  (r, c) => (r + c) % 2 === 0, (r) => r % 2 === 0, (r, c) => c % 3 === 0, (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0, (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0, (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];
const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/** The text of a square of modules (rows of true for dark), or undefined when it is none. */
export function decode(modules) {
  const version = (modules.length - 17) / 4;
  const format = formatOf(modules);
  if (!format) return undefined;
  const bytes = correctedBytes(codewords(modules, version, MASKS[format.mask]), version, format.level);
  return bytes && textOf(bytes, version);
}

/** Level and mask: the valid word nearest to the 15 bits beside the corner, of which up to three may be wrong. */
function formatOf(modules) {
  const cells = [[8, 0], [8, 1], [8, 2], [8, 3], [8, 4], [8, 5], [8, 7], [8, 8], [7, 8], [5, 8], [4, 8], [3, 8], [2, 8], [1, 8], [0, 8]];
  const seen = cells.reduce((word, [row, column]) => (word << 1) | (modules[row][column] ? 1 : 0), 0);
  let best = { off: 4 };
  for (let value = 0; value < 32; value += 1) {
    let rest = value << 10;
    for (let bit = 14; bit >= 10; bit -= 1) if (rest & (1 << bit)) rest ^= 0x537 << (bit - 10);
    const off = ones(seen ^ (((value << 10) | rest) ^ 0x5412));
    if (off < best.off) best = { off, level: LEVELS[value >> 3], mask: value & 7 };
  }
  return best.level && best;
}

const ones = (word) => word.toString(2).replaceAll("0", "").length;

/** Whether a module carries no data. */
function isFixed(row, column, version, centres) {
  const size = version * 4 + 17;
  if ((row < 9 && column < 9) || (row < 9 && column >= size - 8) || (row >= size - 8 && column < 9)) return true;
  if (row === 6 || column === 6) return true;
  if (version >= 7 && ((row < 6 && column >= size - 11) || (column < 6 && row >= size - 11))) return true;
  const edge = size - 7;
  return centres.some((r) => centres.some((c) =>
    Math.abs(row - r) <= 2 && Math.abs(column - c) <= 2 && !((r === 6 && (c === 6 || c === edge)) || (c === 6 && r === edge))));
}

const centresOf = (version) => (version === 1 ? [] : version < 7 ? [6, version * 4 + 10] : [6, version * 2 + 8, version * 4 + 10]);

/** The bytes in their winding order, unmasked. */
function codewords(modules, version, mask) {
  const size = modules.length;
  const centres = centresOf(version);
  const bytes = [];
  let [byte, bits, up] = [0, 0, true];
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right -= 1;
    for (let step = 0; step < size; step += 1) {
      const row = up ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (isFixed(row, column, version, centres)) continue;
        byte = (byte << 1) | (modules[row][column] !== mask(row, column) ? 1 : 0);
        if ((bits += 1) % 8) continue;
        bytes.push(byte);
        byte = 0;
      }
    }
    up = !up;
  }
  return bytes;
}

/** Part the interleaved bytes into their blocks, mend each, and join the data; undefined when one cannot be mended. */
function correctedBytes(bytes, version, level) {
  const count = BLOCKS[level][version - 1];
  const check = CHECK_BYTES[level][version - 1];
  const short = Math.floor(bytes.length / count) - check;
  const longer = bytes.length % count;
  const blocks = Array.from({ length: count }, () => []);
  let at = 0;
  for (let index = 0; index <= short; index += 1) {
    for (let block = 0; block < count; block += 1) {
      if (index < short || block >= count - longer) blocks[block].push(bytes[at++]);
    }
  }
  for (let index = 0; index < check; index += 1) for (const block of blocks) block.push(bytes[at++]);
  const mended = blocks.map((block) => mend(block, check)?.slice(0, -check));
  return mended.every(Boolean) ? mended.flat() : undefined;
}

const EXP = new Array(512);
const LOG = new Array(256);
for (let power = 0, value = 1; power < 255; power += 1) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  value = value & 128 ? ((value << 1) ^ 0x11d) & 255 : value << 1;
}
const times = (a, b) => (a && b ? EXP[LOG[a] + LOG[b]] : 0);
const over = (a, b) => (a ? EXP[LOG[a] + 255 - LOG[b]] : 0);
/** The polynomial (constant first) at a point. */
const at = (polynomial, x) => polynomial.reduceRight((sum, part) => times(sum, x) ^ part, 0);

/** Reed-Solomon: mend a block in place (Berlekamp-Massey, Chien, Forney); undefined when too much is wrong. */
function mend(block, check) {
  const word = [...block].reverse();
  const syndromes = Array.from({ length: check }, (_, power) => at(word, EXP[power]));
  if (syndromes.every((one) => one === 0)) return block;
  let [locator, before, length, since, divisor] = [[1], [1], 0, 1, 1];
  for (let step = 0; step < check; step += 1) {
    let gap = syndromes[step];
    for (let index = 1; index <= length; index += 1) gap ^= times(locator[index] ?? 0, syndromes[step - index]);
    if (gap === 0) {
      since += 1;
      continue;
    }
    const kept = [...locator];
    const factor = over(gap, divisor);
    before.forEach((part, index) => { locator[index + since] = (locator[index + since] ?? 0) ^ times(part, factor); });
    locator = Array.from(locator, (part) => part ?? 0);
    if (2 * length > step) since += 1;
    else [length, before, divisor, since] = [step + 1 - length, kept, gap, 1];
  }
  const value = Array.from({ length: check }, (_, power) => {
    let sum = 0;
    for (let index = 0; index <= power; index += 1) sum ^= times(locator[index] ?? 0, syndromes[power - index]);
    return sum;
  });
  const slope = locator.map((part, index) => (index % 2 ? part : 0)).slice(1);
  const places = word.map((_, place) => place).filter((place) => at(locator, EXP[(255 - place) % 255]) === 0);
  if (places.length !== length) return undefined;
  for (const place of places) {
    const inverse = EXP[(255 - place) % 255];
    word[place] ^= times(EXP[place], over(at(value, inverse), at(slope, inverse)));
  }
  return word.reverse();
}

function textOf(bytes, version) {
  let position = 0;
  const left = () => bytes.length * 8 - position;
  const take = (count) => {
    let value = 0;
    for (let index = 0; index < count; index += 1, position += 1) value = (value << 1) | ((bytes[position >> 3] >> (7 - (position & 7))) & 1);
    return value;
  };
  const long = version > 9;
  const out = [];
  const say = (text) => out.push(...new TextEncoder().encode(text));
  while (left() >= 4) {
    const mode = take(4);
    if (mode === 0) break;
    if (mode === 7) take(8);
    else if (mode === 4) for (let count = take(long ? 16 : 8); count > 0 && left() >= 8; count -= 1) out.push(take(8));
    else if (mode === 1) {
      for (let count = take(long ? 12 : 10); count > 0 && left() > 0; count -= 3) {
        const digits = Math.min(3, count);
        say(String(take([0, 4, 7, 10][digits])).padStart(digits, "0"));
      }
    } else if (mode === 2) {
      for (let count = take(long ? 11 : 9); count > 0 && left() > 0; count -= 2) {
        if (count === 1) say(LETTERS[take(6)]);
        else {
          const pair = take(11);
          say(LETTERS[Math.floor(pair / 45)] + LETTERS[pair % 45]);
        }
      }
    } else return undefined;
  }
  return out.length ? new TextDecoder().decode(Uint8Array.from(out)) : undefined;
}
