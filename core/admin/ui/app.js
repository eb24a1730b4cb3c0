// The dashboard: asks the admin API each second and shows what it says. Every name that comes from
// outside is put in as text, never as markup.
import { follow, graph, sparkline } from './graph.js';

const POINTS = 600, SHOWN = 300, NEW_POINTS = 30, LISTS_EVERY = 3, ROOMS_EVERY = 15, PAGE = 100, LONG_PAGE = 1000, ROOM_PAGES = 5;
const TOKEN = 'hubbub.token';
const $ = id => document.getElementById(id);
const history = {};
let sequence = 0, ticks = 0, latest = null, shown = null, nodes = [], asked = 0;

// --- asking ----------------------------------------------------------------------------------------

class Unauthorized extends Error {}

async function ask(path) {
  const token = sessionStorage.getItem(TOKEN);
  const answer = await fetch(path, {
    headers: token ? { Authorization: `Bearer ${token}` } : {}, cache: 'no-store', signal: AbortSignal.timeout(8000),
  });
  if (answer.status === 401)
    throw new Unauthorized();
  if (!answer.ok)
    throw Object.assign(new Error(`${answer.status} ${answer.statusText}`), { status: answer.status });
  return answer.json();
}

function askToken() {
  const dialog = $('token-dialog');
  $('token-wrong').hidden = !sessionStorage.getItem(TOKEN);
  dialog.showModal();
  return new Promise(done => dialog.addEventListener('close', () => {
    sessionStorage.setItem(TOKEN, $('token').value);
    $('token').value = '';
    done();
  }, { once: true }));
}

// --- words -----------------------------------------------------------------------------------------

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const number = value => value == null ? '–' : Math.abs(value) < 100_000 ? whole.format(value) : short.format(value);
const rate = value => value == null ? '–' : value > 0 && value < 10 ? value.toFixed(1) : number(value);

function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++)
    value /= 1024;
  return [unit > 0 && value < 100 ? value.toFixed(1) : whole.format(value), units[unit]];
}

function seconds(value) {
  if (value == null)
    return ['–', ''];
  if (value < 0.001)
    return [value === 0 ? '0' : value < 1e-6 ? '< 1' : (value * 1e6).toFixed(0), 'µs'];
  return value < 1 ? [(value * 1000).toFixed(value < 0.01 ? 1 : 0), 'ms'] : [value.toFixed(2), 's'];
}

// Marks that turn the direction of text would make a name look like another one.
const visible = name => name.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

const joined = parts => parts.join(' ').trim();

function span(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1)
    return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (minutes < 60)
    return `${minutes} min`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} days`;
}

// --- elements --------------------------------------------------------------------------------------

function make(name, properties = {}, ...children) {
  const { className, title, ...rest } = properties;
  const element = document.createElement(name);
  if (className)
    element.className = className;
  if (title)
    element.title = title;
  Object.assign(element, rest);
  element.append(...children.filter(child => child != null).map(child => child instanceof Node ? child : String(child)));
  return element;
}

const cell = (text, className, title = '') => make('td', { className, title }, text);
const row = (...cells) => make('tr', {}, ...cells);

// Only what has changed is touched, so that nothing flickers and a selection stays.
function fill(parent, children) {
  const before = [...parent.children];
  children.forEach((child, i) => {
    if (!before[i])
      parent.append(child);
    else if (!before[i].isEqualNode(child) || child.onclick)
      before[i].replaceWith(child);
  });
  before.slice(children.length).forEach(child => child.remove());
}

const nothing = text => make('p', { className: 'none' }, text);
const nothingRow = (text, columns) => make('tr', {}, make('td', { className: 'sub', colSpan: columns }, text));

// --- the numbers -----------------------------------------------------------------------------------

// The first answer has the last minutes, and so has one after a while in which nobody looked; the others
// bring what is new.
const wantedPoints = () => sequence && performance.now() - asked < NEW_POINTS * 500 ? NEW_POINTS : POINTS;

function remember(trend) {
  const fresh = trend.seq - sequence;
  for (const [name, values] of Object.entries(trend)) {
    if (!Array.isArray(values))
      continue;
    const kept = fresh < 0 || fresh > values.length ? [] : history[name] ?? [];
    history[name] = [...kept, ...fresh < 0 ? values : values.slice(Math.max(0, values.length - fresh))].slice(-POINTS);
  }
  sequence = trend.seq;
}

const last = (name, count = 1) => {
  const values = (history[name] ?? []).slice(-count).filter(value => value !== null);
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
};
// At the start a shorter while, so that there is something to see.
const points = () => [60, 120, SHOWN].find(count => (history.connections?.length ?? 0) <= count) ?? SHOWN;
const recent = name => (history[name] ?? []).slice(-SHOWN);
const sum = values => Object.values(values ?? {}).reduce((all, value) => all + value, 0);

const TILES = {
  connections: { paint: 'c1', main: stats => [number(stats.connections)],
    note: stats => `of ${number(stats.limits.connections)} · ${nodes.length > 1
      ? `${number(sum(nodes.map(node => node.connections)))} on ${nodes.length} nodes`
      : `${number(stats.metrics.hubbub_room_memberships)} in rooms`}` },
  delivered: { paint: 'c2', main: () => [rate(last('delivered', 3)), '/s'],
    note: () => `${rate(last('received', 3))} published a second` },
  p99: { paint: 'c3', main: () => seconds(last('p99')), note: () => `half within ${joined(seconds(last('p50')))}` },
  errors: { paint: 'bad', main: () => [rate(last('errors', 3)), '/s'],
    note: stats => `${number(sum(stats.metrics.hubbub_errors_total))} since the start` },
};

function showTiles(stats) {
  for (const tile of document.querySelectorAll('.tile')) {
    const { paint, main, note } = TILES[tile.dataset.key];
    const [value, unit] = main(stats);
    tile.querySelector('output').replaceChildren(value, make('i', {}, unit ?? ''));
    tile.querySelector('small').textContent = note(stats);
    sparkline(tile.querySelector('canvas'), recent(tile.dataset.key), paint);
  }
}

const GRAPHS = {
  messages: { lines: [['delivered', 'delivered', 'c2'], ['received', 'published', 'c1']], format: rate, floor: 1 },
  latency: { lines: [['p99', '99 %', 'c3'], ['p90', '90 %', 'c1'], ['p50', '50 %', 'c2']], format: value => joined(seconds(value)), floor: 0.0001 },
  bytes: { lines: [['sent_bytes', 'sent', 'c2'], ['received_bytes', 'received', 'c1']], format: value => joined(bytes(value)), base: 1024, floor: 100 },
  connections: { lines: [['connections', 'open', 'c1'], ['opened', 'opened a second', 'c3']], format: number, floor: 1 },
  trouble: { lines: [['errors', 'errors', 'bad'], ['rejected', 'refused', 'c3'], ['dropped', 'dropped', 'c4']], format: rate, floor: 1 },
};

function showGraph(card) {
  const { lines, ...rest } = GRAPHS[card.dataset.graph];
  const drawn = lines.map(([name, , paint]) => ({ values: recent(name), paint }));
  if (drawn[0].values.length === 0)
    return;
  const index = graph(card.querySelector('canvas'), { lines: drawn, points: points(), ...rest });
  fill(card.querySelector('.legend'), lines.map(([, label, paint], i) =>
    make('span', { className: paint }, `${label} `, make('b', {}, drawn[i].values[index] == null ? '–' : rest.format(drawn[i].values[index])))));
}

function showGraphs() {
  document.querySelectorAll('[data-graph]').forEach(showGraph);
}

function bar(name, value, most, note = '', kind = '') {
  return make('div', { className: `bar ${kind}` }, make('span', { className: 'name', title: name }, name),
    make('span', { className: 'count' }, make('b', {}, number(value)), note && ` ${note}`),
    make('progress', { max: Math.max(most, 1), value }));
}

const ERRORS = [['hubbub_errors_total', ''], ['hubbub_connections_rejected_total', 'refused: '],
  ['hubbub_auth_failures_total', 'credentials: '], ['hubbub_rate_limited_total', 'too fast: '], ['hubbub_messages_dropped_total', 'dropped: ']];

function showBars({ metrics }) {
  const connections = metrics.hubbub_connections ?? {};
  const opened = metrics.hubbub_connections_opened_total ?? {};
  const most = Math.max(...Object.values(connections), 1);
  fill($('transports'), Object.entries(connections).map(([name, value]) => bar(name, value, most, `· ${number(opened[name])} opened`)));
  const faults = ERRORS.flatMap(([metric, prefix]) => Object.entries(metrics[metric] ?? {})
    .filter(([, value]) => value > 0).map(([reason, value]) => [prefix + reason.replaceAll('_', ' '), value]))
    .sort((a, b) => b[1] - a[1]).slice(0, 8);
  fill($('faults'), faults.length
    ? faults.map(([name, value]) => bar(name, value, faults[0][1], '', 'fault'))
    : [nothing('Nothing. Lovely.')]);
}

function showProcess({ metrics, workers, limits }) {
  const recoveries = metrics.hubbub_recoveries_total ?? {};
  const facts = [
    ['Memory', joined(bytes(metrics.process_resident_memory_bytes))],
    ['Processor', cpu(metrics.process_cpu_seconds_total)],
    ['Workers', workers],
    ['Loop lag', joined(seconds(metrics.hubbub_loop_lag_seconds))],
    ['Open files', `${number(metrics.process_open_fds)} of ${number(metrics.process_max_fds)}`],
    ['Waiting to be sent', joined(bytes(metrics.hubbub_outbox_bytes))],
    ['Rooms', `${number(metrics.hubbub_rooms)} of ${limits.rooms ? number(limits.rooms) : 'any'}`],
    ['Recoveries', `${number(recoveries.recovered)} whole, ${number(recoveries.lost)} not`],
    ['Backend', metrics.hubbub_backend_up ? 'answers' : 'is away'],
  ];
  fill($('process'), facts.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
}

const processor = { at: 0, used: 0, text: '–' };

function cpu(used) {
  const now = performance.now() / 1000;
  if (now - processor.at >= 2) {
    if (processor.at)
      processor.text = `${Math.max(0, (used - processor.used) / (now - processor.at) * 100).toFixed(0)} %`;
    Object.assign(processor, { at: now, used });
  }
  return processor.text;
}

function showHead(stats) {
  document.body.dataset.state = stats.state;
  document.title = stats.alerts.firing ? `(${stats.alerts.firing}) hubbub · ${stats.node}` : `hubbub · ${stats.node}`;
  $('node').textContent = stats.node;
  $('state').textContent = stats.state;
  $('uptime').textContent = `up ${span(stats.uptime_ms)}`;
  $('version').textContent = `version ${stats.version}`;
  $('banner').hidden = true;
}

function showAlerts({ data: { alerts } }) {
  fill($('alerts'), alerts.map(({ labels, annotations, state, activeAt, value }) => make('div', {
    className: 'alert' }, make('b', {}, labels.alertname),
  make('span', {}, annotations.summary ?? annotations.description ?? `value ${value}`),
  make('span', { className: 'when' }, `${state}, for ${span(latest.time - Date.parse(activeAt))}`))));
  [...$('alerts').children].forEach((element, i) => { element.dataset.state = alerts[i].state; });
}

// --- lists -----------------------------------------------------------------------------------------

const pages = { rooms: 1, sessions: 1 };

async function pagesOf(path, limit, count) {
  const items = [];
  let next = null;
  do {
    const page = await ask(`${path}limit=${limit}${next ? `&cursor=${encodeURIComponent(next)}` : ''}`);
    items.push(...page.items);
    ({ next } = page);
  } while (next && --count > 0);
  return { items, more: next !== null };
}

// The largest first, so all are asked for; where they are too many, the largest of many.
let rooms = { items: [], more: false, at: -ROOMS_EVERY };

async function readRooms() {
  if (rooms.items.length < LONG_PAGE || ticks - rooms.at >= ROOMS_EVERY)
    rooms = { ...await pagesOf('api/v1/rooms?', LONG_PAGE, ROOM_PAGES), at: ticks };
  return rooms;
}

async function showRooms() {
  const wanted = $('rooms-filter').value.toLowerCase();
  const { items, more } = await readRooms();
  const all = items.filter(({ room }) => room.toLowerCase().includes(wanted)).sort((a, b) =>
    b.members - a.members || (a.room < b.room ? -1 : 1));
  const found = all.slice(0, pages.rooms * PAGE);
  $('rooms-count').textContent = more ? `${number(latest.rooms)}, of which ${number(items.length)} are looked at` : number(latest.rooms);
  $('rooms-more').hidden = all.length <= found.length;
  fill($('rooms').tBodies[0], found.length
    ? found.map(({ room, members }) => row(make('td', { title: room }, make('button', { onclick: () => openRoom(room) }, visible(room))), cell(number(members), 'n')))
    : [nothingRow(wanted ? 'None of that name.' : 'None yet.', 2)]);
  [...$('rooms').tBodies[0].rows].forEach((line, i) => {
    if (found[i])
      line.querySelector('button').onclick = () => openRoom(found[i].room);
  });
}

const age = opened => span(latest.time - opened);

async function showSessions() {
  const user = $('sessions-user').value;
  const { items, more } = await pagesOf(`api/v1/sessions?${user ? `user=${encodeURIComponent(user)}&` : ''}`, PAGE, pages.sessions);
  $('sessions-count').textContent = number(latest.sessions);
  $('sessions-more').hidden = !more;
  fill($('sessions').tBodies[0], items.length
    ? items.map(one => row(cell(one.user == null ? make('span', { className: 'sub' }, 'guest') : visible(one.user), '', `${one.user ?? 'guest'} · ${one.id}`),
      cell(make('span', { className: 'tag' }, one.transport), 'fit'), cell(one.remote, 'fit wide-only'), cell(number(one.rooms), 'n'), cell(age(one.opened), 'n')))
    : [nothingRow(user ? 'That user is not here.' : 'Nobody yet.', 5)]);
}

async function showPlugins() {
  const { items } = await ask('api/v1/plugins');
  fill($('plugins').tBodies[0], items.flatMap(({ name, version, kind, description, hooks, status }) => {
    const lines = Object.entries(hooks).filter(([, { calls }]) => calls > 0);
    const title = `${description || name} (${status})`;
    const label = make('span', {}, name, make('span', { className: 'sub wide-only' }, ` ${version}`));
    const first = cell(label, '', title);
    if (!lines.length)
      return [row(first, cell(make('span', { className: 'tag' }, kind), 'fit'), cell('', 'n'), cell('', 'n wide-only'), cell('', 'n'))];
    return lines.map(([hook, { calls, seconds: total, p99 }], i) => row(i === 0 ? first : cell(''), cell(hook, 'fit'), cell(number(calls), 'n'),
      cell(joined(seconds(total / calls)), 'n wide-only'), cell(joined(seconds(p99)), 'n')));
  }));
}

async function showNodes() {
  const { items } = await ask('api/v1/nodes');
  nodes = items;
  $('rooms').tHead.rows[0].cells[1].textContent = items.length > 1 ? 'Members here' : 'Members';
  fill($('nodes').tBodies[0], items.map(({ node, state, connections, rooms, uptime_ms: up, self }) => row(
    cell(make('span', {}, node, self && items.length > 1 ? make('span', { className: 'sub' }, ' this one') : null), '', node),
    cell(make('span', { className: `tag ${state === 'running' ? 'good' : 'warn'}` }, state), 'fit'), cell(number(connections), 'n'),
    cell(number(rooms), 'n wide-only'), cell(up == null ? '–' : span(up), 'n'))));
}

async function openRoom(room) {
  const dialog = $('room-dialog');
  shown = room;
  await showRoom();
  if (!dialog.open)
    dialog.showModal();
}

async function showRoom() {
  const dialog = $('room-dialog');
  const known = await ask(`api/v1/rooms/${encodeURIComponent(shown)}?limit=${PAGE}`).catch(error => {
    if (error.status !== 404)
      throw error;
    return { members: 0, items: [], history: { messages: 0 } };
  });
  dialog.querySelector('h2').textContent = visible(shown);
  const facts = [['Members', number(known.members)], ['Presence', known.presence ? 'yes' : 'no'],
    ['Keeps', known.history.messages ? `${number(known.history.messages)} messages for ${span(known.history.age_ms)}` : 'nothing']];
  fill(dialog.querySelector('dl'), facts.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
  fill(dialog.querySelector('tbody'), known.items.map(one => row(cell(visible(one.user ?? 'guest'), '', one.id),
    cell(make('span', { className: 'tag' }, one.transport), 'fit'), cell(age(one.opened), 'n'))));
}

// --- each second -----------------------------------------------------------------------------------

async function showLists() {
  await Promise.all([showRooms(), showSessions(), showPlugins(), showNodes()]);
  if (shown !== null)
    await showRoom();
}

async function tick() {
  const stats = await ask(`api/v1/stats?history=${wantedPoints()}`);
  latest = stats;
  asked = performance.now();
  remember(stats.history);
  showHead(stats);
  showTiles(stats);
  showGraphs();
  showBars(stats);
  showProcess(stats);
  showAlerts(await ask('alerts'));
  if (ticks++ % LISTS_EVERY === 0)
    await showLists();
}

function showAway(error) {
  document.body.dataset.state = 'away';
  $('state').textContent = 'away';
  $('banner').textContent = `The server does not answer (${error.message}); trying again.`;
  $('banner').hidden = false;
  sequence = 0;
}

const pause = ms => new Promise(done => setTimeout(done, ms));

async function run() {
  for (;;) {
    try {
      if (!document.hidden)
        await tick();
    } catch (error) {
      if (error instanceof Unauthorized)
        await askToken();
      else
        showAway(error);
    }
    await pause(document.hidden ? 300 : 1000);
  }
}

// Lists that somebody types for or asks more of come at once.
function listen(id, type, show, change = () => {}) {
  $(id).addEventListener(type, () => {
    change();
    if (latest)
      show().catch(() => {});
  });
}

document.querySelectorAll('[data-graph]').forEach(card =>
  follow(card.querySelector('canvas'), () => showGraph(card)));
listen('rooms-filter', 'input', showRooms);
listen('sessions-user', 'change', showSessions, () => { pages.sessions = 1; });
listen('rooms-more', 'click', showRooms, () => { pages.rooms++; });
listen('sessions-more', 'click', showSessions, () => { pages.sessions++; });
$('room-dialog').querySelector('.close').onclick = () => $('room-dialog').close();
$('room-dialog').addEventListener('close', () => { shown = null; });
$('token-dialog').addEventListener('cancel', event => event.preventDefault());
window.addEventListener('resize', () => latest && (showTiles(latest), showGraphs()));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => latest && (showTiles(latest), showGraphs()));
run();
