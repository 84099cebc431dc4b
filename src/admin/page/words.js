// Numbers as people read them.

/** Seconds as `45 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`. */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const units = s < 3600 ? [60, "min", 1, "s"] : s < 86_400 ? [3600, "h", 60, "min"] : [86_400, "d", 3600, "h"];
  const [large, largeName, small, smallName] = units;
  const rest = Math.floor((s % large) / small);
  return `${Math.floor(s / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/** A moment in the past, in milliseconds since 1970. */
export function ago(time) {
  const seconds = (Date.now() - time) / 1000;
  return seconds < 2 ? "just now" : `${duration(seconds)} ago`;
}

/** A moment to the millisecond, in the reader's own time zone. */
export function exact(time) {
  const date = new Date(time);
  const offset = -date.getTimezoneOffset();
  const local = new Date(time + offset * 60_000).toISOString().replace("T", " ").replace("Z", "");
  const sign = offset < 0 ? "-" : "+";
  const pad = (number) => String(Math.floor(Math.abs(number))).padStart(2, "0");
  return `${local} UTC${sign}${pad(offset / 60)}:${pad(offset % 60)}`;
}

/** Milliseconds as `0.4 ms`, `12 ms`, `3.4 s`. */
export function milliseconds(ms) {
  if (ms === undefined || ms === null) return "";
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Bytes as `512 B`, `1.4 kB`, `3.2 MB`. */
export function bytes(count) {
  if (count === undefined || count === null) return "not counted";
  const names = ["B", "kB", "MB", "GB", "TB"];
  let [value, name] = [count, 0];
  while (value >= 999.5 && name < names.length - 1) [value, name] = [value / 1000, name + 1];
  return `${name === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${names[name]}`;
}

/** A count with its noun. */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A rate per second, with as many digits as mean something. */
export function rate(perSecond) {
  return perSecond >= 10 || perSecond === 0 ? String(Math.round(perSecond)) : perSecond.toFixed(1);
}
