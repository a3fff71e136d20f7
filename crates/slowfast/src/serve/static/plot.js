// A small line chart.

const [WIDTH, HEIGHT] = [320, 150];
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 8, 8, 32];

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

export const short = (value) => (value === 0 ? "0" : value.toPrecision(3));

/** Draws `lines`, each `{ kind, points: [[x, y], ...] }`, over whole numbers from 0 to `last`. */
export function plot(svg, label, lines, last) {
  const points = lines.flatMap((line) => line.points);
  const [low, high] = range(points.map(([, y]) => y));
  const end = Math.max(last, 1);
  const across = (x) => LEFT + (x / end) * (WIDTH - LEFT - RIGHT);
  const up = (y) => HEIGHT - BOTTOM - ((y - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const parts = [...frame(low, high, end, across, up)];
  for (const { kind, points } of lines) {
    const path = points.map(([x, y]) => `${across(x)},${up(y)}`).join(" ");
    parts.push(element("polyline", { class: kind, points: path }));
    if (kind === "with") parts.push(...points.map(([x, y]) => dot(across(x), up(y), y)));
  }
  svg.replaceChildren(...parts);
  svg.setAttribute("aria-label", label);
}

/** From 0 where that is near, or losses that hardly differ would look alike. */
function range(values) {
  if (values.length === 0) return [0, 1];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (most === least) return most > 0 ? [0, most * 1.2] : [0, 1];
  const low = least < most / 2 ? 0 : least - (most - least) * 0.15;
  return [low, most + (most - low) * 0.1];
}

function dot(x, y, value) {
  const circle = element("circle", { cx: x, cy: y, r: 3 });
  circle.append(element("title", {}, short(value)));
  return circle;
}

function* frame(low, high, end, across, up) {
  const [floor, edge] = [HEIGHT - BOTTOM, WIDTH - RIGHT];
  yield element("line", { class: "axis", x1: LEFT, x2: edge, y1: floor, y2: floor });
  yield element("line", { class: "axis", x1: LEFT, x2: LEFT, y1: TOP, y2: floor });
  for (const y of [low, high]) {
    yield element("text", { x: LEFT - 5, y: up(y) + 4, "text-anchor": "end" }, short(y));
  }
  const step = Math.ceil(end / 8);
  for (let x = 0; x <= end; x += step) {
    yield element("text", { x: across(x), y: floor + 14, "text-anchor": "middle" }, x);
  }
  yield element("text", { x: (LEFT + edge) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, "chunk");
}
