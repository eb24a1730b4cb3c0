// What an operator's requests cost a busy node: 15,000 WebSockets, 7 to a room, while messages go to 2,000
// rooms. First CPU time of the server for one request, nothing else going on; then how long messages take
// until their last member has them, undisturbed and while somebody asks. Server and worker share CPU 0.
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { column, load, median, startHubbub, withCleanup } from './rig.mjs';

const { until } = await import('../e2e/lib/until.mjs');

const CLIENTS = 15_000, PER_ROOM = 7, ROOMS = 2000, REPEATS = 30, SECONDS = 5, ROUNDS = 3, EVERY_MS = 50;
const LIMITS = { connections: CLIENTS + 1000, connections_per_ip: CLIENTS + 1000 };
const SCRAPE = ['/metrics'];
const DASHBOARD = ['/api/v1/stats?history=30', '/alerts', '/api/v1/rooms?limit=1000', '/api/v1/sessions?limit=100',
    '/api/v1/plugins', '/api/v1/nodes'];
const OTHERS = ['/api/v1/stats?history=600', '/api/v1/sessions?limit=1000', '/api/v1/sessions?user=nobody',
    '/api/v1/rooms/bench-7', '/readyz'];

const agent = new Agent({ keepAlive: true });

const ask = (hub, path) => new Promise((resolve, reject) => {
    get(hub.adminUrl(path), { agent }, answer => {
        let bytes = 0;
        answer.on('data', chunk => { bytes += chunk.length; });
        answer.on('end', () => answer.statusCode === 200 ? resolve(bytes) : reject(new Error(`${path}: ${answer.statusCode}`)));
    }).on('error', reject);
});

/** CPU time of all threads, in ms. */
const cpuMs = pid => readdirSync(`/proc/${pid}/task`).reduce((sum, task) =>
    sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]), 0) / 1e6;

async function cost(hub, path) {
    const runs = [];
    let bytes = 0;
    for (let i = 0; i < REPEATS; i++) {
        const [cpu, at] = [cpuMs(hub.pid), performance.now()];
        bytes = await ask(hub, path);
        runs.push({ took: performance.now() - at, cpu: cpuMs(hub.pid) - cpu });
    }
    return { bytes, cpu: median(runs.map(run => run.cpu)), took: median(runs.map(run => run.took)) };
}

/** Asks for all of `paths`, one after the other, until told to stop. */
function keepAsking(hub, paths) {
    let going = true;
    const ended = (async () => {
        while (going) {
            for (const path of paths)
                await ask(hub, path);
            await new Promise(done => setTimeout(done, EVERY_MS));
        }
    })();
    return () => { going = false; return ended; };
}

async function deliveries(hub, paths) {
    const child = load(['--port', hub.port, '--pid', hub.pid, '--members', CLIENTS, '--per-room', PER_ROOM, '--rooms', ROOMS,
        '--seconds', SECONDS]);
    child.ended.catch(() => {});
    await until(async () => (await hub.metric('hubbub_room_memberships')) === CLIENTS || child.exitCode !== null, 'all to join', 60_000);
    const stop = keepAsking(hub, paths);
    await child.ended;
    await stop();
    await until(async () => (await hub.metric('hubbub_sessions')) === 0, 'all to be gone', 60_000);
    return JSON.parse(child.output);
}

async function printCosts(hub) {
    const child = load(['--port', hub.port, '--members', CLIENTS, '--per-room', PER_ROOM, '--idle']);
    child.ended.catch(() => {});
    await until(() => child.output.includes('ready') || child.exitCode !== null, 'all to join', 60_000);
    console.log('request                            bytes   CPU, ms  answered after, ms');
    for (const path of [...SCRAPE, ...DASHBOARD, ...OTHERS]) {
        const { bytes, cpu, took } = await cost(hub, path);
        console.log(`${path.padEnd(32)}${String(bytes).padStart(8)}${column(cpu)}${column(took).padStart(15)}`);
    }
    child.stdin.end();
    await child.ended;
    await until(async () => (await hub.metric('hubbub_sessions')) === 0, 'all to be gone', 60_000);
}

export const measureScrapes = () => withCleanup(async t => {
    console.log(`${CLIENTS} WebSockets, ${PER_ROOM} to a room; CPU time of the server for a request (median of ${REPEATS})`);
    const hub = await startHubbub(t, { transports: { websocket: {} }, limits: LIMITS });
    await printCosts(hub);
    const ways = { 'nobody asks': [], [`scraped each ${EVERY_MS} ms`]: SCRAPE, [`dashboard each ${EVERY_MS} ms`]: DASHBOARD };
    const runs = Object.fromEntries(Object.keys(ways).map(name => [name, []]));
    for (let round = 0; round < ROUNDS; round++)
        for (const [name, paths] of Object.entries(ways))
            runs[name].push(await deliveries(hub, paths));
    console.log('one message at a time: until the last of its room has it, µs     p50      p99      max    messages/s');
    for (const [name, list] of Object.entries(runs)) {
        const of = field => median(list.map(run => run[field]));
        console.log(`${name.padEnd(59)}${column(of('lastP50Us'), 0)}${column(of('lastP99Us'), 0)}${column(of('lastMaxUs'), 0)}`
            + `${column(median(list.map(run => run.messages / run.seconds)), 0).padStart(14)}`);
    }
});
