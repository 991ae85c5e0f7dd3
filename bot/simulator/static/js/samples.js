// Things to send without having any file at hand: a drawn picture, a short spoken-sounding voice, three places.

/** What the drawn picture says about itself. */
export const CAPTION = "演示图片 · 手绘";

/** A drawn forearm with a bruise, as a teacher's phone would take it; JPEG, 720 × 960. */
export async function picture(caption) {
  const canvas = document.createElement("canvas");
  canvas.width = 720;
  canvas.height = 960;
  const pen = canvas.getContext("2d");
  paintRoom(pen);
  paintArm(pen);
  pen.fillStyle = "rgba(0,0,0,.55)";
  pen.font = "26px sans-serif";
  pen.fillText(caption, 28, 930);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
}

function paintRoom(pen) {
  const wall = pen.createLinearGradient(0, 0, 0, 960);
  wall.addColorStop(0, "#dfe6dd");
  wall.addColorStop(0.55, "#c9d2c4");
  wall.addColorStop(0.551, "#b48a5a");
  wall.addColorStop(1, "#94693e");
  pen.fillStyle = wall;
  pen.fillRect(0, 0, 720, 960);
  pen.fillStyle = "#fdfbf3";
  pen.save();
  pen.translate(90, 590);
  pen.rotate(-0.08);
  pen.fillRect(0, 0, 300, 230);
  pen.strokeStyle = "#9fb6cf";
  pen.lineWidth = 2;
  for (let row = 34; row < 220; row += 30) {
    pen.beginPath();
    pen.moveTo(16, row);
    pen.lineTo(284, row);
    pen.stroke();
  }
  pen.restore();
}

function paintArm(pen) {
  pen.lineCap = "round";
  for (const [colour, width] of [["#c98f6c", 138], ["#e3ad88", 126]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(690, 330);
    pen.quadraticCurveTo(480, 400, 250, 520);
    pen.stroke();
  }
  for (const [x, y, turn] of [[196, 474, 0.1], [172, 516, -0.15], [170, 560, -0.4], [196, 598, -0.7]]) {
    pen.fillStyle = "#e3ad88";
    pen.beginPath();
    pen.ellipse(x, y, 62, 21, turn, 0, 7);
    pen.fill();
    pen.strokeStyle = "#c98f6c";
    pen.lineWidth = 3;
    pen.stroke();
  }
  for (const [x, y, size] of [[430, 415, 44], [478, 378, 28], [385, 452, 24]]) {
    const mark = pen.createRadialGradient(x, y, 2, x, y, size);
    mark.addColorStop(0, "rgba(78,52,108,.85)");
    mark.addColorStop(0.6, "rgba(104,78,120,.5)");
    mark.addColorStop(1, "rgba(150,130,70,0)");
    pen.fillStyle = mark;
    pen.fillRect(x - size, y - size, size * 2, size * 2);
  }
  pen.fillStyle = "#3f6ea5";
  pen.beginPath();
  pen.moveTo(560, 262);
  pen.lineTo(720, 200);
  pen.lineTo(720, 470);
  pen.lineTo(604, 446);
  pen.closePath();
  pen.fill();
  pen.fillStyle = "#f3f3f3";
  for (const shift of [0, 34]) pen.fillRect(640 + shift, 214, 12, 240);
}

const RATE = 8000;

/** Three seconds of a murmuring voice (nothing is said in it): WAV, mono, 16 bit, 8 kHz. */
export function murmur() {
  const seconds = 3;
  const total = RATE * seconds;
  const samples = new Int16Array(total);
  let phase = 0;
  for (let index = 0; index < total; index += 1) {
    const at = index / RATE;
    const syllable = at % 0.24;
    const loudness = Math.sin(Math.PI * Math.min(syllable / 0.2, 1)) ** 2 * (at % 1.2 > 0.96 ? 0 : 1);
    phase += (2 * Math.PI * (170 + 26 * Math.sin(at * 5) - 14 * at)) / RATE;
    const openness = 0.5 + 0.5 * Math.sin(Math.floor(at / 0.24) * 2.1);
    const tone = Math.sin(phase) + (0.6 - 0.3 * openness) * Math.sin(2 * phase) + 0.5 * openness * Math.sin(4 * phase) + 0.2 * Math.sin(7 * phase);
    samples[index] = 7000 * loudness * tone;
  }
  return new Blob([wavHeader(total), samples], { type: "audio/wav" });
}

function wavHeader(samples) {
  const head = new DataView(new ArrayBuffer(44));
  const words = (at, text) => [...text].forEach((letter, index) => head.setUint8(at + index, letter.charCodeAt(0)));
  words(0, "RIFF");
  head.setUint32(4, 36 + samples * 2, true);
  words(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, 1, true);
  head.setUint32(24, RATE, true);
  head.setUint32(28, RATE * 2, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  words(36, "data");
  head.setUint32(40, samples * 2, true);
  return head;
}

export const PLACES = [
  { label: "青石镇小学", lat: 28.2315, lng: 109.7042, scale: 16 },
  { label: "石湾村3组 晒谷场旁", lat: 28.2561, lng: 109.6817, scale: 17 },
  { label: "青禾县汽车站出站口", lat: 28.2139, lng: 109.7368, scale: 16 },
];
