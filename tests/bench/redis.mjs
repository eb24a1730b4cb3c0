// What a message costs through Redis, in CPU time of the nodes: published and received by one node with
// 100 in flight, with and without the plugin (the difference is Redis' part); and 100 rooms of 10 members
// over two nodes.   node tests/bench/redis.mjs
//
// BUILD_DIR or HUBBUB_BIN pick the build; BENCH_MESSAGES (100,000) the size.
import { readFileSync } from 'node:fs';

process.env.HUBBUB_WORKERS = '1';
const { connect } = await import('../e2e/lib/client.mjs');
const { startCluster, startRedis } = await import('../e2e/lib/redis.mjs');
const { startHub } = await import('../e2e/lib/server.mjs');
const { until } = await import('../e2e/lib/until.mjs');

const MESSAGES = Number(process.env.BENCH_MESSAGES) || 100_000;
const IN_FLIGHT = 100;
const ROOMS = [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 100, age: '1h' } }];

/** CPU time of a process in µs, from its threads' own clocks. */
function cpu(pid) {
    const ns = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0];
    const ticks = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Math.max(Number(ns) / 1000, (Number(ticks[11]) + Number(ticks[12])) * 10_000);
}

async function withCleanup(body) {
    const tasks = [];
    try {
        return await body({ name: 'bench', after: task => tasks.push(task) });
    } finally {
        for (const task of tasks.reverse())
            await task();
    }
}

/** Publishes n messages, IN_FLIGHT at a time over all writers. */
async function publish(writers, rooms, n) {
    let next = 0;
    const one = async writer => {
        for (let i; (i = next++) < n;)
            await writer.publish(rooms[i % rooms.length], i, { echo: true });
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, (_, i) => one(writers[i % writers.length])));
}

async function measure(hubs, members, writers, rooms, perMessage) {
    const before = hubs.map(hub => cpu(hub.pid)), started = performance.now();
    const count = () => members.reduce((sum, member) => sum + member.received.filter(m => m.type === 'message').length, 0);
    await publish(writers, rooms, MESSAGES);
    await until(() => count() >= MESSAGES * perMessage, () => `all messages, got ${count()}`, 60_000, 200);
    const spent = hubs.reduce((sum, hub, i) => sum + cpu(hub.pid) - before[i], 0);
    return { each: spent / MESSAGES, rate: MESSAGES / (performance.now() - started) * 1000 };
}

async function single(t, hub) {
    const member = await connect(hub), writer = await connect(hub);
    await member.join('r');
    await publish([writer], ['r'], 2000);
    member.received.length = 0;
    return measure([hub], [member], [writer], ['r'], 1);
}

const tell = (what, { each, rate }) => console.log(`${what.padEnd(46)} ${each.toFixed(2).padStart(8)} µs CPU a message ${Math.round(rate).toString().padStart(8)} messages/s`);

const alone = await withCleanup(async t => single(t, await startHub(t, { rooms: ROOMS })));
tell('one node, 1 member, in process', alone);
const shared = await withCleanup(async t => single(t, (await startCluster(t, await startRedis(t), 1, { rooms: ROOMS }))[0]));
tell('one node, 1 member, through Redis', shared);
console.log(`Redis' part: ${(shared.each - alone.each).toFixed(2)} µs`);
await withCleanup(async t => {
    const hubs = await startCluster(t, await startRedis(t), 2, { rooms: ROOMS });
    const rooms = Array.from({ length: 100 }, (_, i) => `room-${i}`);
    const members = [];
    for (let i = 0; i < 10; i++) {
        const member = await connect(hubs[i % 2]);
        for (const room of rooms)
            await member.join(room);
        members.push(member);
    }
    const writers = await Promise.all(hubs.map(hub => connect(hub)));
    tell('two nodes, 100 rooms x 10 members', await measure(hubs, members, writers, rooms, 10));
});
