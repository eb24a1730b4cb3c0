// What the benchmarks share: the load generator, CPU and memory of a server, clean-up, tables.
//
// Servers are pinned to CPU 0, the load to CPU 1. BUILD_DIR or HUBBUB_BIN pick the build,
// BENCH_SECONDS (5), BENCH_ROUNDS (5), BENCH_MEMBERS (1000) and BENCH_CONNECTIONS (10000) the size.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

process.env.HUBBUB_LAUNCH = 'taskset -c 0';
process.env.HUBBUB_WORKERS = '1';
export const { SECRET, tokenFor } = await import('../e2e/lib/jwt.mjs');
export const { freePort } = await import('../e2e/lib/ports.mjs');
const { buildDir, startHub } = await import('../e2e/lib/server.mjs');
const { until } = await import('../e2e/lib/until.mjs');

const number = (name, otherwise) => Number(process.env[name]) || otherwise;
export const ROUNDS = number('BENCH_ROUNDS', 5);
export const MEMBERS = number('BENCH_MEMBERS', 1000);
export const CONNECTIONS = number('BENCH_CONNECTIONS', 10_000);
/** Connections that are there before the memory of others is measured. */
export const WARM = 500;
const SECONDS = number('BENCH_SECONDS', 5);

export const ROOMS = [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 100, age: '5m' } }];
const LIMITS = { connections: CONNECTIONS + 1000, connections_per_ip: CONNECTIONS + 1000 };
export const WITH_USERS = { plugins: { load: [{ 'auth-jwt': { secret: SECRET, algorithms: ['HS256'] } }] } };
/** What the load generator needs to speak Socket.IO. */
export const SOCKETIO = ['--socketio', '--path', '/socket.io/?EIO=4&transport=websocket'];

export const median = list => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
export const column = (value, digits = 2) => value.toFixed(digits).padStart(9);

/** Runs `body` with what it must clean up registered on a stand-in for a test. */
export async function withCleanup(body) {
    const tasks = [];
    try {
        return await body({ name: 'bench', after: task => tasks.push(task) });
    } finally {
        for (const task of tasks.reverse())
            await task();
    }
}

/** hubbub, as the benchmarks want it: a process with `port` and `pid`. */
export const startHubbub = (t, config) => startHub(t, { rooms: ROOMS, limits: LIMITS, ...config });

const accepts = port => new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
});

/** Some other server, pinned as hubbub is: a process with `port` and `pid`. */
export async function startOther(t, command, args) {
    const port = await freePort();
    const server = spawn('taskset', ['-c', '0', command, ...args.map(arg => arg === '$PORT' ? port : arg).map(String)],
        { stdio: ['ignore', 'ignore', 'inherit'] });
    t.after(() => server.kill('SIGKILL'));
    await until(() => accepts(port), `${command} to listen`);
    return { port, pid: server.pid };
}

export const benchProgram = name => join(buildDir, 'tests', 'bench', name);

/** The load generator at work: `output` has what it printed, `ended` resolves when it ends well. */
export function load(args) {
    const child = spawn('taskset', ['-c', '1', benchProgram('bench_load'), ...args.map(String)],
        { stdio: ['pipe', 'pipe', 'inherit'] });
    child.output = '';
    child.stdout.on('data', chunk => { child.output += chunk; });
    child.ended = new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', code => code === 0 ? resolve() : reject(new Error(`load ended with ${code}`)));
    });
    return child;
}

/** The load never sleeps: clients of other machines don't have to be woken up by the server either.
 *  What a delivery cost: CPU µs (user, total), deliveries a second, µs until the last member has it. */
export async function fanout(server, window, ...more) {
    const child = load(['--port', server.port, '--pid', server.pid, '--members', MEMBERS, '--window', window,
        '--seconds', SECONDS, '--spin', ...more]);
    await child.ended;
    const result = JSON.parse(child.output);
    const perDelivery = seconds => seconds * 1e6 / result.deliveries;
    return {
        user: perDelivery(result.user), total: perDelivery(result.user + result.system),
        rate: result.deliveries / result.seconds, last: result.lastMeanUs,
        frameBytes: Math.round(result.bytes / result.deliveries),
    };
}

/** Measures each server in turn, ROUNDS times over, so that what disturbs one disturbs all:
 *  {name: measure} to {name: {user, total, rate, last}}, the medians, and the `totals` of all rounds. */
export async function compare(measures) {
    const runs = Object.fromEntries(Object.keys(measures).map(name => [name, []]));
    for (let round = 0; round < ROUNDS; round++)
        for (const [name, measure] of Object.entries(measures))
            runs[name].push(await measure());
    return Object.fromEntries(Object.entries(runs).map(([name, list]) => [name,
        { ...Object.fromEntries(Object.keys(list[0]).map(field => [field, median(list.map(run => run[field]))])),
            totals: list.map(run => run.total) }]));
}

/** How many times `a` costs what `b` does, round by round: its median, least and most. */
export function ratio(a, b) {
    const each = a.totals.map((total, round) => total / b.totals[round]);
    return `${median(each).toFixed(2)} (${Math.min(...each).toFixed(2)} to ${Math.max(...each).toFixed(2)})`;
}

export const FANOUT_HEAD = 'outstanding  server            user    total   deliveries/s  last member after';

export function printFanout(window, results) {
    for (const [name, { user, total, rate, last }] of Object.entries(results))
        console.log(`${String(window).padStart(11)}  ${name.padEnd(13)}${column(user, 3)}${column(total, 3)}`
            + `${column(rate, 0).padStart(15)}${column(last / 1000).padStart(16)} ms`);
}

function residentBytes(pid) {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

/** The resident size once it has not moved for two seconds. */
export async function settledBytes(pid) {
    let last = 0, same = 0;
    await until(() => {
        const now = residentBytes(pid);
        same = now === last ? same + 1 : 0;
        last = now;
        return same >= 20;
    }, 'the memory to settle', 60_000, 100);
    return last;
}

/** A file of tokens, one to each of `n` connections, each of its own user. */
function tokensFile(t, n, prefix) {
    const folder = mkdtempSync(join(tmpdir(), 'hubbub-bench-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'tokens');
    writeFileSync(file, Array.from({ length: n }, (_, i) => tokenFor(`${prefix}-${i}`)).join('\n') + '\n');
    return file;
}

/** Opens `n` connections, which stay: resolves with their process when all have joined. */
async function openIdle(t, server, n, prefix, more) {
    const child = load(['--port', server.port, '--members', n, '--idle', '--per-room', 100,
        '--tokens', tokensFile(t, n, prefix), ...more]);
    child.ended.catch(() => {});
    await until(() => child.output.includes('ready') || child.exitCode !== null, 'all to join', 120_000);
    if (child.exitCode !== null)
        await child.ended;
    return child;
}

/** Resident bytes of each of CONNECTIONS idle ones with users of their own, 100 to a room, besides
 *  the first WARM, which stay too: what a server needs once is not counted. */
export async function idleBytes(t, server, what, ...more) {
    const warm = await openIdle(t, server, WARM, 'first', more), before = await settledBytes(server.pid);
    const child = await openIdle(t, server, CONNECTIONS, 'user', more), after = await settledBytes(server.pid);
    for (const each of [child, warm]) {
        each.stdin.end();
        await each.ended;
    }
    const each = (after - before) / CONNECTIONS;
    console.log(`${CONNECTIONS} idle ${what} with users, 100 to a room: resident `
        + `${(before / 2 ** 20).toFixed(1)} MiB before, ${(after / 2 ** 20).toFixed(1)} MiB with them, `
        + `${each.toFixed(0)} bytes each`);
    return each;
}
