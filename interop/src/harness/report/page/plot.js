const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
const PANELS = [
  { unit: "Mbit/s", series: [[0, "sent by the sender", "#d4a72c"], [1, "on to the receiver", "#0969da"]] },
  { unit: "ms", series: [[2, "queue at the relay", "#8250df"], [3, "told by the receiver", "#cf222e"],
                         [4, "told by the sender", "#6e7781"]] },
];
const WIDTH = 760, HEIGHT = 170, LEFT = 60, TOP = 18, BOTTOM = 22, RIGHT = 10;

function unpack([most, digits]) {
  const points = [];
  for (let i = 0; i < digits.length; i += 2) {
    const high = DIGITS.indexOf(digits[i]), low = DIGITS.indexOf(digits[i + 1]);
    points.push(high < 0 ? null : (high * 64 + low) / 4095 * most);
  }
  return points;
}

// A round number of steps below `most`, at most five of them.
function ticks(most) {
  const power = 10 ** Math.floor(Math.log10(most || 1));
  const step = [0.1, 0.2, 0.5, 1, 2].map(s => s * power).find(s => most / s <= 5) || power;
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
}

function panel(plot, { unit, series }, top) {
  const all = series.map(([index, name, color]) => ({ name, color, points: unpack(plot.s[index]) }));
  const most = Math.max(...all.flatMap(s => s.points.map(p => p ?? 0))) || 1;
  const seconds = Math.max(...all.map(s => s.points.length)) * plot.ms / 1000;
  const x = t => LEFT + t / seconds * (WIDTH - LEFT - RIGHT);
  const y = v => top + HEIGHT - BOTTOM - v / most * (HEIGHT - TOP - BOTTOM);
  const text = (at, down, anchor, words, color) =>
    `<text x="${at}" y="${down}" text-anchor="${anchor}" fill="${color || "#57606a"}">${words}</text>`;
  let svg = "";
  for (const v of ticks(most)) {
    svg += `<path d="M${LEFT} ${y(v)}H${WIDTH - RIGHT}" stroke="#eaeef2"/>`;
    svg += text(LEFT - 6, y(v) + 4, "end", +v.toPrecision(3));
  }
  for (const t of ticks(seconds)) svg += text(x(t), top + HEIGHT - 6, "middle", +t.toPrecision(3) + " s");
  svg += text(4, top + 11, "start", unit);
  let at = LEFT;
  for (const { name, color, points } of all) {
    svg += text(at, top + 11, "start", name, color);
    at += name.length * 6 + 18;
    let path = "", pen = "M";
    points.forEach((value, i) => {
      if (value === null) { pen = "M"; return; }
      path += `${pen}${x((i + 0.5) * plot.ms / 1000).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    });
    svg += `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.5" stroke-linecap="round"/>`;
  }
  return svg;
}

function toggle(cell) {
  const table = cell.closest("table");
  const old = table.nextElementSibling;
  const wasOpen = cell.classList.contains("open");
  if (old && old.tagName === "FIGURE") old.remove();
  for (const other of table.querySelectorAll(".open")) other.classList.remove("open");
  if (wasOpen) return;
  cell.classList.add("open");
  const plot = PLOTS[cell.dataset.plot];
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = plot.n;
  figure.innerHTML = `<svg width="${WIDTH}" height="${2 * HEIGHT}" role="img">` +
    PANELS.map((what, i) => panel(plot, what, i * HEIGHT)).join("") + "</svg>";
  figure.prepend(caption);
  table.after(figure);
}

for (const cell of document.querySelectorAll("td[data-plot]")) {
  cell.addEventListener("click", () => toggle(cell));
  cell.addEventListener("keydown", event => { if (event.key === "Enter") toggle(cell); });
}
