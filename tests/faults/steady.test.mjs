// minutes: 15
// Steady hours: clients of every transport come, talk and go as people do, a real Prometheus scrapes and
// a real Alertmanager listens; no alert may fire. Then a crowd comes at once, and ConnectionSpike must.
//
// STEADY_MINUTES  how long nothing may happen (default 1; an hour or more before a release)
// STEADY_CLIENTS  how many come and go (default 120)
// STEADY_REPORT   a file that gets the figures, as JSON
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from '../../transports/client/hubbub.js';
import { fetchHttp } from '../e2e/lib/http.mjs';
import { SECRET, tokenFor } from '../e2e/lib/jwt.mjs';
import { io, WebSocket } from '../e2e/lib/packages.mjs';
import { freePort } from '../e2e/lib/ports.mjs';
import { buildDir, startHub } from '../e2e/lib/server.mjs';
import { until } from '../e2e/lib/until.mjs';

const MINUTES = Number(process.env.STEADY_MINUTES) || 1;
const CLIENTS = Number(process.env.STEADY_CLIENTS) || 120;
const CROWD = 6 * CLIENTS;
const WAYS = ['websocket', 'sse', 'longpoll', 'socketio'];
const ROOMS = 40;
// As in the manual; in a short run against a shorter past, else it could not fire.
const SPIKE = MINUTES >= 10 ? { spike: { factor: 3, over: '5m', floor: 100 }, for: '30s' }
    : { spike: { factor: 3, over: '20s', floor: 100 }, for: '2s' };

const exponential = mean => -mean * Math.log(1 - Math.random());
const room = () => `room-${Math.floor(Math.random() * ROOMS)}`;

/** Somebody who comes, stays some minutes, says something now and then, goes, and comes back. */
class Visitor {
    constructor(base, n) {
        this.base = base;
        this.way = WAYS[n % WAYS.length];
        this.token = n % 3 ? tokenFor(`user-${n}`) : undefined;
        this.over = new AbortController();
        this.told = 0;
    }

    // Nobody waits longer than the story goes on.
    wait(mean) { return pause(exponential(mean), undefined, { signal: this.over.signal }).catch(() => {}); }

    async run() {
        await this.wait(5_000);
        while (!this.over.signal.aborted) {
            const talk = this.way === 'socketio' ? this.openSocketio() : this.openHub();
            const end = performance.now() + 20_000 + exponential(240_000);
            while (performance.now() < end && !this.over.signal.aborted) {
                await this.wait(8_000);
                talk.say(`hello ${performance.now()}`);
            }
            talk.close();
            await this.wait(45_000);
        }
    }

    openHub() {
        const hub = connect(this.base, { transports: [this.way], WebSocket, token: this.token });
        const rooms = [room(), room()];
        hub.on('message', () => { this.told++; });
        rooms.forEach(name => hub.join(name).catch(() => {}));
        return { say: text => hub.publish(rooms[0], { text }).catch(() => {}), close: () => hub.close() };
    }

    openSocketio() {
        const socket = io(this.base, { forceNew: true, auth: { token: this.token } });
        const roomId = room();
        socket.on('message', () => { this.told++; });
        socket.on('connect', () => socket.emit('join-room', roomId));
        return { say: text => socket.emit('message', { roomId, text }), close: () => socket.disconnect() };
    }
}

function run(t, command, args, cwd) {
    const child = spawn(command, args, { cwd, stdio: 'ignore' });
    const ended = new Promise(done => child.once('close', done));
    t.after(() => {
        child.kill('SIGKILL');
        return ended;
    });
}

const isUp = (base, what) => until(async () =>
    (await fetchHttp(`${base}/-/ready`).catch(() => null))?.status === 200, `${what} to be up`, 60_000);

/** What a real Alertmanager tells its receiver. */
async function startManager(t, hub, port) {
    const told = [];
    const receiver = createServer((request, answer) => {
        let text = '';
        request.on('data', chunk => { text += chunk; });
        request.on('end', () => {
            told.push(...JSON.parse(text).alerts);
            answer.end();
        });
    });
    await new Promise(done => receiver.listen(0, '127.0.0.1', done));
    t.after(() => receiver.closeAllConnections() || receiver.close());
    const storage = join(hub.directory, 'alertmanager'), file = `${storage}.yml`;
    mkdirSync(storage);
    writeFileSync(file, `route: {receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 12h}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:${receiver.address().port}/'}]}]\n`);
    run(t, 'prometheus-alertmanager', [`--config.file=${file}`, `--storage.path=${storage}`,
        `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address='], hub.directory);
    await isUp(`http://127.0.0.1:${port}`, 'Alertmanager');
    return told;
}

async function startPrometheus(t, hub) {
    const port = await freePort(), base = `http://127.0.0.1:${port}`, file = join(hub.directory, 'prometheus.yml');
    writeFileSync(file, `global: {scrape_interval: 5s}
scrape_configs: [{job_name: hubbub, static_configs: [{targets: ['127.0.0.1:${hub.adminPort}']}]}]\n`);
    run(t, 'prometheus', [`--config.file=${file}`, `--storage.tsdb.path=${join(hub.directory, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`], hub.directory);
    await isUp(base, 'Prometheus');
    return async query => {
        const { json } = await fetchHttp(`${base}/api/v1/query?query=${encodeURIComponent(query)}`);
        return Number(json.data.result[0]?.value[1] ?? NaN);
    };
}

/** Every alert that was seen in GET /alerts while `going`, by name and state. */
async function watch(hub, going) {
    const seen = {};
    while (going()) {
        const { json } = await hub.admin('/alerts', { deadline: 60_000 });
        for (const { labels, state, value } of json.data.alerts)
            (seen[`${labels.alertname} ${state}`] ??= []).push([new Date().toISOString(), value]);
        await pause(1000);
    }
    return seen;
}

/** A crowd in an instant; the function sends it away. */
async function crowd(t, hub) {
    const load = spawn(join(buildDir, 'tests/bench/bench_load'), ['--port', String(hub.port), '--members', String(CROWD),
        '--idle', '--per-room', '50'], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => load.kill('SIGKILL'));
    await new Promise((ready, failed) => {
        load.stdout.once('data', ready);
        load.once('close', code => failed(new Error(`the crowd ended with ${code}`)));
    });
    return () => load.stdin.end();
}

const lacking = ['prometheus', 'prometheus-alertmanager'].filter(program => spawnSync('which', [program]).status !== 0);

test(`${MINUTES} steady minutes with ${CLIENTS} clients raise no alert, a crowd does`,
    { skip: lacking.length > 0 && `no ${lacking.join(', ')}` }, async t => {
        const managerPort = await freePort();
        const hub = await startHub(t, {
            workers: 2,
            transports: { websocket: {}, sse: {}, longpoll: {}, socketio: {} },
            plugins: { load: [{ 'auth-jwt': { secret: SECRET, anonymous: true } }, { presence: {} },
                { 'rate-limit': { messages: { rate: '50/s', burst: 100 } } }] },
            rooms: [{ match: '*', join: 'anyone', publish: 'anyone', presence: true, history: { messages: 100, age: '5m' } }],
            limits: { connections_per_ip: 0 },
            alerts: { notify: [{ webhook: `http://127.0.0.1:${managerPort}/api/v2/alerts` }],
                rules: [{ alert: 'ConnectionSpike', metric: 'hubbub_connections', labels: { severity: 'warning' }, ...SPIKE }] },
        });
        const told = await startManager(t, hub, managerPort);
        const query = await startPrometheus(t, hub);
        const visitors = Array.from({ length: CLIENTS }, (_, n) => new Visitor(hub.base, n));
        const visits = visitors.map(visitor => visitor.run());
        const end = performance.now() + MINUTES * 60_000;
        const seen = await watch(hub, () => performance.now() < end);
        const range = `[${Math.ceil(MINUTES * 60)}s]`;
        const figures = {
            minutes: MINUTES, clients: CLIENTS, seen, notified: told.length,
            scrapes: await query(`count_over_time(up${range})`), worst: await query(`min_over_time(up${range})`),
            connections: await query(`avg_over_time(sum(hubbub_connections)${range.replace(']', ':5s]')})`),
            opened: await query('sum(hubbub_connections_opened_total)'),
            received: await query('sum(hubbub_messages_received_total)'),
            delivered: await query('sum(hubbub_messages_delivered_total)'),
            errors: await query('sum(hubbub_errors_total)'),
            lag: await query(`max_over_time(hubbub_loop_lag_seconds${range})`),
        };
        if (process.env.STEADY_REPORT)
            writeFileSync(process.env.STEADY_REPORT, JSON.stringify(figures, null, 2));
        t.diagnostic(JSON.stringify(figures));
        assert.deepEqual(Object.keys(seen).filter(name => name.endsWith(' firing')), []);
        assert.deepEqual(told, []);
        assert.equal(figures.worst, 1, 'every scrape worked');
        assert.ok(figures.delivered > CLIENTS, 'people talked');
        assert.ok(WAYS.every(way => visitors.some(visitor => visitor.way === way && visitor.told > 0)), 'on every transport');

        const sendAway = await crowd(t, hub);
        const hears = status => until(() => told.find(alert => alert.status === status
            && alert.labels.alertname === 'ConnectionSpike'), () => `${status}; told: ${JSON.stringify(told)}`, 90_000);
        await hears('firing');
        sendAway();
        await hears('resolved');
        for (const visitor of visitors)
            visitor.over.abort();
        await Promise.all(visits);
    });
