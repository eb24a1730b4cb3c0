// Graphs on canvas: lines over the last minutes, drawn anew when told. No dependencies.

const PAD = { top: 12, right: 6, bottom: 20, left: 58 };
const reader = getComputedStyle(document.documentElement);
const colour = name => reader.getPropertyValue(`--${name}`).trim();

// Tops of an axis, and into how many round parts each falls.
const TOPS = [[1, 2], [1.5, 3], [2, 4], [3, 3], [4, 4], [5, 5], [6, 3], [8, 4], [10, 4]];

// The lowest such top × 10^n that is not below the value; × 1024^n for bytes.
function topOf(value, base) {
  const unit = base === 1024 && value >= 1024 ? 1024 ** Math.floor(Math.log(value) / Math.log(1024)) : 1;
  const scaled = value / unit;
  const power = 10 ** Math.floor(Math.log10(scaled));
  const [top, parts] = TOPS.find(([step]) => step * power >= scaled * 0.999);
  return { top: top * power * unit, parts };
}

function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

// Calls with each run of points that has no hole.
function* runs(values) {
  let from = -1;
  for (let i = 0; i <= values.length; i++) {
    const known = i < values.length && values[i] !== null;
    if (known && from < 0)
      from = i;
    if (!known && from >= 0) {
      yield [from, i];
      from = -1;
    }
  }
}

function trace(context, values, [from, to], x, y) {
  context.beginPath();
  for (let i = from; i < to; i++)
    context[i === from ? 'moveTo' : 'lineTo'](x(i), y(values[i]));
  if (to - from === 1)
    context.lineTo(x(from) + 1, y(values[from]));
}

function drawLine(context, values, paint, x, y, bottom, filled) {
  context.strokeStyle = paint;
  context.lineWidth = 1.8;
  context.lineJoin = 'round';
  for (const run of runs(values)) {
    trace(context, values, run, x, y);
    context.stroke();
    if (!filled)
      continue;
    const shade = context.createLinearGradient(0, 0, 0, bottom);
    shade.addColorStop(0, `${paint}4d`);
    shade.addColorStop(1, `${paint}05`);
    context.lineTo(x(run[1] - 1), bottom);
    context.lineTo(x(run[0]), bottom);
    context.fillStyle = shade;
    context.fill();
  }
}

const highest = lines => lines.reduce((most, { values }) =>
  values.reduce((top, value) => value > top ? value : top, most), 0);

/** A line without axes, at the foot of a tile. */
export function sparkline(canvas, values, paint) {
  const { context, width, height } = fit(canvas);
  const top = highest([{ values }]) || 1;
  const step = width / Math.max(values.length - 1, 1);
  drawLine(context, values, colour(paint), i => i * step, value => height - 2 - value / top * (height - 8), height, true);
}

function drawAxes(context, width, height, { top, parts }, format, seconds) {
  const bottom = height - PAD.bottom;
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  context.fillStyle = colour('soft');
  context.strokeStyle = colour('line');
  context.lineWidth = 1;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  for (let i = 0; i <= parts; i++) {
    const y = Math.round(bottom - (bottom - PAD.top) * i / parts) + 0.5;
    context.beginPath();
    context.moveTo(PAD.left, y);
    context.lineTo(width - PAD.right, y);
    context.stroke();
    context.fillText(format(top * i / parts), PAD.left - 8, y);
  }
  const every = seconds > 400 ? 120 : seconds > 150 ? 60 : seconds > 70 ? 30 : 15;
  context.textBaseline = 'alphabetic';
  for (let ago = 0; ago <= seconds; ago += every) {
    const x = width - PAD.right - (width - PAD.left - PAD.right) * ago / seconds;
    context.textAlign = ago === 0 ? 'right' : 'center';
    context.fillText(ago === 0 ? 'now' : ago % 60 === 0 ? `−${ago / 60} min` : `−${ago} s`, x, height - 4);
  }
}

/** Follow the pointer: canvas.hover is where it is, as a part of the width, or null. */
export function follow(canvas, redraw) {
  const at = event => {
    const box = canvas.getBoundingClientRect();
    canvas.hover = (event.clientX - box.left - PAD.left) / (box.width - PAD.left - PAD.right);
    redraw();
  };
  canvas.addEventListener('pointermove', at);
  canvas.addEventListener('pointerdown', at);
  canvas.addEventListener('pointerleave', () => { canvas.hover = null; redraw(); });
}

/**
 * Lines over the last `points` seconds: {lines: [{values, paint}], points, format, base}. Gives the
 * index that the pointer is at, or the last one.
 */
export function graph(canvas, { lines, points, format, base = 10, floor }) {
  const { context, width, height } = fit(canvas);
  const bottom = height - PAD.bottom, span = width - PAD.left - PAD.right;
  const axis = topOf(Math.max(highest(lines), floor), base);
  const { top } = axis;
  const length = lines[0].values.length;
  const x = i => PAD.left + span * (points - length + i) / Math.max(points - 1, 1);
  const y = value => bottom - (bottom - PAD.top) * Math.min(value / top, 1);
  drawAxes(context, width, height, axis, format, points);
  lines.forEach(({ values, paint }, i) => drawLine(context, values, colour(paint), x, y, bottom, i === 0));
  if (canvas.hover == null)
    return length - 1;
  const index = Math.min(Math.max(Math.round(canvas.hover * (points - 1)) - (points - length), 0), length - 1);
  context.strokeStyle = colour('soft');
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(x(index), PAD.top);
  context.lineTo(x(index), bottom);
  context.stroke();
  context.setLineDash([]);
  for (const { values, paint } of lines) {
    if (values[index] == null)
      continue;
    context.fillStyle = colour(paint);
    context.beginPath();
    context.arc(x(index), y(values[index]), 3.5, 0, 7);
    context.fill();
  }
  return index;
}
