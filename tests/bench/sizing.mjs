// What idle clients take, by transport: resident memory and open files of the server, memory of the kernel.
// Each client is a user of its own, with a token, in a room of 100. Server (one worker) and clients share the
// machine, so of the kernel's memory, which is told for all of it, half is the server's.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { settledBytes, startHubbub, tokenFor, WARM, WITH_USERS, withCleanup } from './rig.mjs';

const { frame, OPCODE } = await import('../e2e/lib/rawws.mjs');
const { within } = await import('../e2e/lib/until.mjs');

const CLIENTS = Number(process.env.BENCH_CONNECTIONS) || 5000;
const PER_ROOM = 100, AT_ONCE = 50, PER = 10_000;
const PAGE = Number(execFileSync('getconf', ['PAGESIZE']));

/** A connection on which bytes go out and text is waited for. */
class Wire {
    constructor(port, tls) {
        this.text = '';
        const to = { port, host: '127.0.0.1' };
        this.socket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connectTcp(to);
        this.socket.on('data', chunk => {
            this.text += chunk.toString('latin1');
            this.look?.();
        });
        this.lost = new Promise((_, reject) => {
            this.socket.on('error', reject);
            this.socket.on('close', () => reject(new Error(`the server hung up: ${this.text.slice(0, 300)}`)));
        });
        this.lost.catch(() => {});
    }

    /** Sends, and gives the first match in what comes from then on. */
    ask(bytes, pattern) {
        this.text = '';
        const found = new Promise(resolve => {
            this.look = () => {
                const match = pattern.exec(this.text);
                if (match)
                    resolve(match);
            };
        });
        this.socket.write(bytes);
        return within(Promise.race([found, this.lost]), () => `${pattern} in: ${this.text.slice(0, 300)}`, 60_000);
    }

    end() { this.socket.destroy(); }
}

const http = (path, { method = 'GET', token, body, headers = [] } = {}) => [`${method} ${path} HTTP/1.1`, 'Host: localhost',
    ...token ? [`Authorization: Bearer ${token}`] : [], ...headers,
    ...body === undefined ? [] : ['Content-Type: text/plain;charset=UTF-8', `Content-Length: ${body.length}`],
    '', body ?? ''].join('\r\n');

const upgrade = (path, token) => http(path, { token, headers: ['Upgrade: websocket', 'Connection: Upgrade',
    'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`] });

const text = value => frame(OPCODE.text, value);
const entry = token => `40${JSON.stringify({ token })}`;
const ENTERED = /40\{"sid"/, JOINED = /431\[/, WAITING = /^HTTP\/1\.1 200[^]*\r\n\r\n/;

async function openWebsocket(wire, room, token) {
    await wire.ask(upgrade('/hub/ws', token), /"welcome"/);
    await wire.ask(text(JSON.stringify({ type: 'join', id: 1, room })), /"ok":true/);
}

const openSse = (wire, room, token) => wire.ask(http(`/hub/sse?room=${room}`, { token }), new RegExp(`"joined","room":"${room}"`));

/** What says that the poll waits is its answer's head. */
async function openLongpoll(wire, room, token) {
    const [, ticket, cursor] = await wire.ask(http(`/hub/poll?room=${room}`, { token }),
        /"ticket":"([^"]+)","cursor":"([^"]+)"[^]*"joined"[^]*\}\]\}/);
    await wire.ask(http(`/hub/poll?cursor=${cursor}`, { token, headers: [`Hub-Ticket: ${ticket}`] }), WAITING);
}

async function openSocketio(wire, room, token) {
    await wire.ask(upgrade('/socket.io/?EIO=4&transport=websocket'), /"sid"/);
    await wire.ask(text(entry(token)), ENTERED);
    await wire.ask(text(`421["join-room","${room}"]`), JOINED);
}

async function openSocketioPolling(wire, room, token) {
    const path = '/socket.io/?EIO=4&transport=polling';
    const [, sid] = await wire.ask(http(path), /"sid":"([^"]+)"/);
    const mine = `${path}&sid=${sid}`;
    await wire.ask(http(mine, { method: 'POST', body: entry(token) }), /\r\n\r\n[^]*ok/);
    await wire.ask(http(mine), ENTERED);
    await wire.ask(http(mine, { method: 'POST', body: `421["join-room","${room}"]` }), /\r\n\r\n[^]*ok/);
    await wire.ask(http(mine), JOINED);
    await wire.ask(http(mine), WAITING);
}

// Nobody pings, and no poll is over, while it is measured; joins are not told, which would end polls.
const HOUR = '1h';
const SOCKETIO = { socketio: { ping_interval: HOUR, events: { joined: '', left: '' } } };
const WAYS = [
    ['websocket', { websocket: {} }, openWebsocket],
    ['websocket over TLS', { websocket: {} }, openWebsocket, true],
    ['sse', { sse: {} }, openSse],
    ['sse over TLS', { sse: {} }, openSse, true],
    ['longpoll, waiting', { longpoll: { wait: HOUR } }, openLongpoll],
    ['socketio by WebSocket', SOCKETIO, openSocketio],
    ['socketio by polling, waiting', SOCKETIO, openSocketioPolling],
];

function certificate(t) {
    const folder = mkdtempSync(join(tmpdir(), 'hubbub-sizing-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
        '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost'], { stdio: 'ignore' });
    return { key, certificate: cert };
}

/** Bytes of the kernel: its small objects (sockets, files, timers), and what lies in the buffers of sockets. */
function kernelBytes() {
    const slab = /^Slab:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))[1] * 1024;
    const buffers = /^TCP:.* mem (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))[1] * PAGE;
    return { slab, buffers };
}

async function look(pid) {
    const resident = await settledBytes(pid);
    return { resident, ...kernelBytes(), files: readdirSync(`/proc/${pid}/fd`).length };
}

/** Opens `n` more. */
async function openMore(wires, n, open) {
    const end = wires.length + n;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (let i; (i = wires.length) < end;)
            await open(wires[i] = wires.make(), `room-${Math.floor(i / PER_ROOM)}`, tokenFor(`user-${i}`));
    }));
}

const measure = (transports, open, tls) => withCleanup(async t => {
    const hub = await startHubbub(t, {
        transports, ...WITH_USERS, heartbeat: { interval: HOUR },
        ...tls && { listen: [{ address: '127.0.0.1', port: '${PORT}', tls: certificate(t) }] },
    });
    const wires = Object.assign([], { make: () => new Wire(hub.port, tls) });
    t.after(() => wires.forEach(wire => wire.end()));
    await openMore(wires, WARM, open); /* what the server needs once is not counted */
    const before = await look(hub.pid);
    await openMore(wires, CLIENTS, open);
    const sessions = await hub.metric('hubbub_sessions');
    if (sessions !== WARM + CLIENTS)
        throw new Error(`${sessions} sessions of ${WARM + CLIENTS}`);
    const after = await look(hub.pid);
    return Object.fromEntries(Object.keys(after).map(key => [key, (after[key] - before[key]) / CLIENTS]));
});

export async function measureSizing() {
    const mb = bytes => (bytes * PER / 1e6).toFixed(1).padStart(8);
    console.log(`${CLIENTS} idle clients, each a user of its own, ${PER_ROOM} to a room; MB and files for ${PER}\n`
        + `${'transport'.padEnd(30)}bytes each process  kernel buffers    files`);
    for (const [name, transports, open, tls] of WAYS) {
        const { resident, slab, buffers, files } = await measure(transports, open, tls);
        console.log(name.padEnd(30) + resident.toFixed(0).padStart(10) + mb(resident) + mb(slab / 2) + mb(buffers / 2)
            + (files * PER).toFixed(0).padStart(9));
    }
}
