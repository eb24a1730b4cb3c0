// What a delivery costs, in CPU time of the server, against a program that does nothing but send()
// (baseline_fanout.c), both measured alternately in one run; and what an idle connection costs, in
// memory.   node tests/bench/bench.mjs [fanout] [memory]
//
// The server is pinned to CPU 0, the load to CPU 1. BUILD_DIR or HUBBUB_BIN pick the build,
// BENCH_SECONDS (5), BENCH_ROUNDS (3), BENCH_MEMBERS (1000) and BENCH_CONNECTIONS (10000) the size.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

process.env.HUBBUB_LAUNCH = 'taskset -c 0';
process.env.HUBBUB_WORKERS = '1';
const { SECRET, tokenFor } = await import('../e2e/lib/jwt.mjs');
const { freePort } = await import('../e2e/lib/ports.mjs');
const { buildDir, startHub } = await import('../e2e/lib/server.mjs');
const { until } = await import('../e2e/lib/until.mjs');

const number = (name, otherwise) => Number(process.env[name]) || otherwise;
const SECONDS = number('BENCH_SECONDS', 5);
const ROUNDS = number('BENCH_ROUNDS', 3);
const MEMBERS = number('BENCH_MEMBERS', 1000);
const CONNECTIONS = number('BENCH_CONNECTIONS', 10_000);
const LIMITS = { connections: CONNECTIONS + 1000, connections_per_ip: CONNECTIONS + 1000 };

const program = name => join(buildDir, 'tests', 'bench', name);
const median = list => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const column = (value, digits = 2) => value.toFixed(digits).padStart(9);

/** Runs `body` with what it must clean up registered on a stand-in for a test. */
async function withCleanup(body) {
    const tasks = [];
    try {
        return await body({ name: 'bench', after: task => tasks.push(task) });
    } finally {
        for (const task of tasks)
            await task();
    }
}

function load(args) {
    const child = spawn('taskset', ['-c', '1', program('bench_load'), ...args.map(String)],
        { stdio: ['pipe', 'pipe', 'inherit'] });
    child.output = '';
    child.stdout.on('data', chunk => { child.output += chunk; });
    child.ended = new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', code => code === 0 ? resolve() : reject(new Error(`load ended with ${code}`)));
    });
    return child;
}

async function fanout(port, pid, window, ...more) {
    const child = load(['--port', port, '--pid', pid, '--members', MEMBERS, '--window', window,
        '--seconds', SECONDS, ...more]);
    await child.ended;
    const result = JSON.parse(child.output);
    const perDelivery = seconds => seconds * 1e6 / result.deliveries;
    return {
        user: perDelivery(result.user), total: perDelivery(result.user + result.system),
        rate: result.deliveries / result.seconds, last: result.lastMeanUs,
        frameBytes: Math.round(result.bytes / result.deliveries),
    };
}

const accepts = port => new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
});

/** The bare program sends as many bytes for each delivery as hubbub did. */
async function measureBaseline(window, frameBytes) {
    const port = await freePort();
    const server = spawn('taskset', ['-c', '0', program('bench_baseline'), String(port), String(frameBytes + 4)],
        { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
        await until(() => accepts(port), 'the baseline to listen');
        return await fanout(port, server.pid, window, '--raw', '--size', frameBytes);
    } finally {
        server.kill('SIGKILL');
    }
}

const measureHubbub = window => withCleanup(async t => {
    const hub = await startHub(t, {
        rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 100, age: '5m' } }],
        transports: { websocket: {} }, limits: LIMITS,
    });
    return fanout(hub.port, hub.pid, window);
});

async function compareFanout() {
    console.log(`fan-out to ${MEMBERS} members, 128 bytes of data; µs of server CPU per delivery`);
    console.log('outstanding  server        user    total   deliveries/s  last member after');
    for (const window of [1, 8]) {
        const runs = { baseline: [], hubbub: [] };
        for (let round = 0; round < ROUNDS; round++) {
            runs.hubbub.push(await measureHubbub(window));
            runs.baseline.push(await measureBaseline(window, runs.hubbub[0].frameBytes));
        }
        const middle = {};
        for (const [name, list] of Object.entries(runs)) {
            const pick = field => median(list.map(run => run[field]));
            middle[name] = { user: pick('user'), total: pick('total') };
            console.log(`${String(window).padStart(11)}  ${name.padEnd(9)}${column(pick('user'), 3)}`
                + `${column(pick('total'), 3)}${column(pick('rate'), 0).padStart(15)}`
                + `${column(pick('last') / 1000).padStart(16)} ms`);
        }
        const ratio = field => (middle.hubbub[field] / middle.baseline[field]).toFixed(2);
        console.log(`${String(window).padStart(11)}  hubbub / baseline: total ${ratio('total')}, `
            + `user above the baseline's ${(middle.hubbub.user - middle.baseline.user).toFixed(3)} µs`);
    }
}

function residentBytes(pid) {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

/** The resident size once it has not moved for two seconds. */
async function settledBytes(pid) {
    let last = 0, same = 0;
    await until(() => {
        const now = residentBytes(pid);
        same = now === last ? same + 1 : 0;
        last = now;
        return same >= 20;
    }, 'the memory to settle', 60_000, 100);
    return last;
}

const measureMemory = () => withCleanup(async t => {
    const folder = mkdtempSync(join(tmpdir(), 'hubbub-bench-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const tokens = Array.from({ length: CONNECTIONS }, (_, i) => tokenFor(`user-${i}`));
    writeFileSync(join(folder, 'tokens'), tokens.join('\n') + '\n');
    const hub = await startHub(t, {
        transports: { websocket: {} }, limits: LIMITS,
        plugins: { load: [{ 'auth-jwt': { secret: SECRET, algorithms: ['HS256'] } }] },
    });
    const before = await settledBytes(hub.pid);
    const child = load(['--port', hub.port, '--members', CONNECTIONS, '--idle', '--per-room', 100,
        '--tokens', join(folder, 'tokens')]);
    child.ended.catch(() => {});
    await until(() => child.output.includes('ready') || child.exitCode !== null, 'all to join', 120_000);
    if (child.exitCode !== null)
        await child.ended;
    const after = await settledBytes(hub.pid);
    child.stdin.end();
    await child.ended;
    console.log(`${CONNECTIONS} idle WebSockets with users, 100 to a room: resident `
        + `${(before / 2 ** 20).toFixed(1)} MiB before, ${(after / 2 ** 20).toFixed(1)} MiB with them, `
        + `${((after - before) / CONNECTIONS).toFixed(0)} bytes each`);
});

const wanted = process.argv.slice(2);
const wants = name => wanted.length === 0 || wanted.includes(name);
if (wants('fanout'))
    await compareFanout();
if (wants('memory'))
    await measureMemory();
process.exit();
