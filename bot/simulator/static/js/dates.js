// Dates as WeChat writes them, always in the county's zone whatever the laptop is set to.

const ZONE = "Asia/Shanghai";
const WEEKDAYS = ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"];
const FORMAT = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE, year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** The parts of an instant as a wall clock in Shanghai shows them; `day` numbers the days. */
export function local(instant) {
  const parts = Object.fromEntries(FORMAT.formatToParts(new Date(instant)).map((part) => [part.type, part.value]));
  const day = Date.UTC(parts.year, parts.month - 1, parts.day) / 86400000;
  return { ...parts, month: Number(parts.month), time: `${parts.hour}:${parts.minute}`, date: new Date(day * 86400000), day, weekday: WEEKDAYS[(day + 4) % 7] };
}

/** 14:05 · 昨天 14:05 · 星期三 14:05 · 3月5日 14:05 · 2025年3月5日 14:05, seen from `now`. */
export function stamp(instant, now) {
  const then = local(instant);
  const today = local(now);
  const ago = today.day - then.day;
  if (ago === 0) return then.time;
  if (ago === 1) return `昨天 ${then.time}`;
  if (ago > 1 && ago < 7) return `${then.weekday} ${then.time}`;
  const date = `${then.month}月${then.date.getUTCDate()}日 ${then.time}`;
  return then.year === today.year ? date : `${then.year}年${date}`;
}

/** 2026年3月5日 星期四 07:30:05 */
export function full(instant) {
  const at = local(instant);
  return { date: `${at.year}年${at.month}月${at.date.getUTCDate()}日 ${at.weekday}`, time: at.time, seconds: at.second };
}

/** Seconds from one instant to a wall-clock moment in Shanghai given as "2026-03-05T07:30". */
export function secondsUntil(now, wall) {
  return Math.round((Date.parse(`${wall}:00+08:00`) - now) / 1000);
}

/** The next moment at which a wall clock in Shanghai shows `time`, as "2026-03-05T07:30". */
export function nextAt(now, time) {
  const today = `${fieldValue(now).slice(0, 10)}T${time}`;
  return secondsUntil(now, today) > 0 ? today : `${fieldValue(now + 86400000).slice(0, 10)}T${time}`;
}

/** The value a date-and-time field of the browser wants. */
export function fieldValue(instant) {
  const at = local(instant);
  return `${at.date.toISOString().slice(0, 10)}T${at.time}`;
}
