// What a message costs through Redis, in CPU time: published and received by one node with 100 in flight,
// against a program that does nothing else (baseline_redis.c) and against hubbub without Redis, all
// measured alternately in one run. Redis' part is what a message costs more than in process (where a
// history is kept too), set against the bare program round by round. And 100 rooms of 10 members over
// two nodes.   node tests/bench/redis.mjs [one] [many]
//
// Nodes and the baseline are pinned to CPU 0, Redis and the load to CPU 1. BUILD_DIR or HUBBUB_BIN pick
// the build, BENCH_SECONDS (3) and BENCH_ROUNDS (3) the size.
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const { median, withCleanup } = await import('./rig.mjs'); // first: it says how servers are started
const { startCluster, startRedis } = await import('../e2e/lib/redis.mjs');
const { buildDir, startHub } = await import('../e2e/lib/server.mjs');

const SECONDS = Number(process.env.BENCH_SECONDS) || 3;
const ROUNDS = Number(process.env.BENCH_ROUNDS) || 3;
const IN_FLIGHT = 100, DATA_BYTES = 128;
const CONFIG = { rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 100, age: '1h' } }],
    limits: { connections: 5000, connections_per_ip: 5000 } };
const NO_HISTORY = { ...CONFIG, rooms: [{ match: '*', join: 'anyone', publish: 'anyone' }] };

const run = promisify(execFile);

async function measured(cpu, name, ...args) {
    const { stdout } = await run('taskset', ['-c', cpu, join(buildDir, 'tests', 'bench', name), ...args.map(String)]);
    const result = JSON.parse(stdout);
    return { ...result, each: result.cpuUs.map(us => us / result.messages) };
}

const load = (hubs, redis, ...more) => measured(1, 'bench_load', '--port', hubs.map(hub => hub.port), '--pid',
    [...hubs, ...redis ? [redis.process] : []].map(one => one.pid), '--seconds', SECONDS, '--window', IN_FLIGHT,
    '--size', DATA_BYTES, ...more);

async function pinnedRedis(t) {
    const redis = await startRedis(t);
    execFileSync('taskset', ['-acp', '1', redis.process.pid], { stdio: 'ignore' });
    return redis;
}

const baseline = () => withCleanup(async t => measured(0, 'bench_baseline_redis', (await pinnedRedis(t)).port, SECONDS,
    IN_FLIGHT, DATA_BYTES));
const inProcess = (...more) => () => withCleanup(async t =>
    load([await startHub(t, CONFIG)], null, '--members', 1, ...more));
const throughRedis = (config, ...more) => () => withCleanup(async t => {
    const redis = await pinnedRedis(t);
    return load(await startCluster(t, redis, 1, config), redis, '--members', 1, ...more);
});

const twoNodes = () => withCleanup(async t => {
    const redis = await pinnedRedis(t), hubs = await startCluster(t, redis, 2, CONFIG);
    const result = await load(hubs, redis, '--members', 1000, '--per-room', 10, '--rooms', 100);
    const stats = await redis.command('INFO', 'commandstats');
    return { ...result, script: Number(/cmdstat_evalsha:.*?usec_per_call=([\d.]+)/.exec(stats)[1]) };
});

async function one() {
    const ways = { baseline, 'in process': inProcess(), 'through Redis': throughRedis(CONFIG),
        'without history': throughRedis(NO_HISTORY), 'in process, keys': inProcess('--keys'),
        'with keys': throughRedis(CONFIG, '--keys') };
    const runs = Object.fromEntries(Object.keys(ways).map(name => [name, []]));
    for (let round = 0; round < ROUNDS; round++)
        for (const [name, measure] of Object.entries(ways))
            runs[name].push((await measure()).each);
    console.log(`1 node, 1 room, 1 member, ${IN_FLIGHT} in flight, ${DATA_BYTES} bytes of data; µs of CPU per message`);
    const middle = {};
    for (const [name, list] of Object.entries(runs)) {
        middle[name] = median(list.map(each => each[0]));
        const spread = list.map(each => each[0].toFixed(2)).join(' ');
        const redis = list[0].length > 1 ? `   Redis ${median(list.map(each => each[1])).toFixed(2)}` : '';
        console.log(`${name.padEnd(18)}${middle[name].toFixed(2).padStart(7)}   (${spread})${redis}`);
    }
    for (const [name, without] of [['through Redis', 'in process'], ['without history', 'in process'],
        ['with keys', 'in process, keys']]) {
        const parts = runs[name].map((each, round) => each[0] - runs[without][round][0]);
        const times = parts.map((part, round) => part / runs.baseline[round][0]);
        console.log(`${name}: Redis' part ${median(parts).toFixed(2)}, ${median(times).toFixed(2)} x the baseline `
            + `(${Math.min(...times).toFixed(2)} to ${Math.max(...times).toFixed(2)}); `
            + `all ${(middle[name] / middle.baseline).toFixed(2)} x`);
    }
}

async function many() {
    const runs = [];
    for (let round = 0; round < ROUNDS; round++)
        runs.push(await twoNodes());
    const nodes = median(runs.map(({ each }) => each[0] + each[1]));
    console.log(`2 nodes, 100 rooms x 10 members, ${IN_FLIGHT} in flight: ${nodes.toFixed(2)} µs of CPU per message on both nodes, `
        + `${(nodes / 10).toFixed(2)} per delivery; Redis ${median(runs.map(({ each }) => each[2])).toFixed(2)} µs, of which the script `
        + `${median(runs.map(({ script }) => script)).toFixed(2)}; ${median(runs.map(r => r.messages / r.seconds)).toFixed(0)} messages/s`);
}

const wanted = process.argv.slice(2);
if (wanted.length === 0 || wanted.includes('one'))
    await one();
if (wanted.length === 0 || wanted.includes('many'))
    await many();
process.exit();
