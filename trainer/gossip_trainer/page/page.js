"use strict";
// The values under the pointer, by mouse or arrow keys, and the choices in the page's address, such as
// #axis=samples&scale=log. Everything else works without a script.

const SVG = "http://www.w3.org/2000/svg";
const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const UNITS = { seconds: " s", samples: " samples", bytes: "B" };

function written(axis, value) {
  if (axis === "seconds") return value.toPrecision(4) + UNITS.seconds;
  const [unit, prefix] = PREFIXES.find(([least]) => value >= least) ?? [1, ""];
  const space = axis === "bytes" ? " " : "";
  return `${Number((value / unit).toPrecision(4))}${space}${prefix}${UNITS[axis]}`;
}

function measured(kind, value) {
  if (kind === "log") return value > 0 ? Math.log10(value) : NaN;
  return kind === "error" ? -Math.log10(Math.max(1 - value, 1e-5)) : value;
}

function placed(value, [low, high]) {
  return (value - low) / (high - low);
}

// The point of a curve that is nearest in x among those that have a value.
function nearest(xs, ys, at) {
  let best = -1;
  for (let i = 0; i < xs.length; i++)
    if (ys[i] !== null && (best < 0 || Math.abs(xs[i] - at) < Math.abs(xs[best] - at))) best = i;
  return best;
}

function drawn(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function line(className, ...texts) {
  const element = document.createElement("div");
  element.className = className;
  element.append(...texts);
  return element;
}

function watch(figure) {
  const curves = JSON.parse(figure.querySelector(".points").textContent);
  const readout = figure.querySelector(".readout");
  const boxes = [...figure.querySelectorAll(".legend input")];
  const shown = () => curves.filter((_, place) => boxes[place].checked);

  function hide(svg) {
    svg.querySelector(".cursor").replaceChildren();
    readout.replaceChildren();
  }

  function show(svg, x) {
    const numbers = (key) => svg.dataset[key].split(" ").map(Number);
    const [left, top, width, height] = numbers("box");
    const across = left + placed(x, numbers("x")) * width;
    const marks = [drawn("path", { d: `M${across} ${top}v${height}` })];
    const lines = [];
    for (const curve of shown()) {
      const xs = curve.x[svg.dataset.axis], i = nearest(xs, curve.y, x);
      if (i < 0) continue;
      const up = placed(measured(svg.dataset.kind, curve.y[i]), numbers("y"));
      const at = { cx: left + placed(xs[i], numbers("x")) * width, cy: top + (1 - up) * height, r: 3.5 };
      if (Number.isFinite(at.cy)) marks.push(drawn("circle", { ...at, class: curve.style }));
      const value = document.createElement("b");
      value.textContent = curve.share ? `${(100 * curve.y[i]).toPrecision(4)}%` : Number(curve.y[i].toPrecision(4));
      lines.push(line(curve.style, `${curve.label} `, value));
    }
    svg.querySelector(".cursor").replaceChildren(...marks);
    const head = document.createElement("b");
    head.textContent = written(svg.dataset.axis, x);
    readout.replaceChildren(head, ...lines);
    const share = across / svg.viewBox.baseVal.width;
    readout.style.left = share < 0.5 ? `${100 * share + 3}%` : "auto";
    readout.style.right = share < 0.5 ? "auto" : `${100 * (1 - share) + 3}%`;
    svg.dataset.at = x;
  }

  for (const svg of figure.querySelectorAll(".variant")) {
    const [low, high] = svg.dataset.x.split(" ").map(Number);
    const [left, , width] = svg.dataset.box.split(" ").map(Number);
    const stops = () => [...new Set(shown().flatMap((curve) => curve.x[svg.dataset.axis]))].sort((a, b) => a - b);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const across = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      const x = low + ((across - left) / width) * (high - low);
      if (x >= low && x <= high) show(svg, x);
      else hide(svg);
    });
    svg.addEventListener("pointerleave", () => hide(svg));
    svg.addEventListener("blur", () => hide(svg));
    svg.addEventListener("keydown", (event) => {
      const all = stops(), at = Number(svg.dataset.at ?? -Infinity);
      const to = { ArrowRight: all.find((x) => x > at), ArrowLeft: all.findLast((x) => x < at), Home: all[0], End: all.at(-1) };
      if (event.key === "Escape") hide(svg);
      if (!(event.key in to)) return;
      event.preventDefault();
      if (to[event.key] !== undefined) show(svg, to[event.key]);
    });
  }
}

function choose() {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const button = document.getElementById(`${name}-${value}`);
    if (button) button.checked = true;
  }
}

document.querySelectorAll(".chart").forEach(watch);
window.addEventListener("hashchange", choose);
choose();
