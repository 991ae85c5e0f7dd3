// Unpacks the Chromium of the package @sparticuz/chromium, and the libraries it needs, into a folder.
// Usage: node unpack_chromium.mjs FOLDER
import { createReadStream, createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import { extract } from "tar-fs";

const packed = join(import.meta.dirname, "../../node_modules/@sparticuz/chromium/bin");
const folder = process.argv[2];
mkdirSync(folder, { recursive: true });

const unpack = (name, target) =>
  pipeline(createReadStream(join(packed, name)), createBrotliDecompress({ chunkSize: 2 ** 21 }), target);

await Promise.all([
  unpack("chromium.br", createWriteStream(join(folder, "chromium"), { mode: 0o755 })),
  unpack("al2023.tar.br", extract(folder)), // the shared libraries (nss, nspr, expat): a folder "lib"
]);
