// What is lost when Redis is killed for 1.5 s under two nodes: socket.io with its classic Redis adapter
// (npm installs both) and hubbub, with the same stock clients, and hubbub with clients of its own protocol.
// A client of one node publishes a numbered message every 50 ms, once each; a client of the other counts.
// Who is told of a gap reads the room's history, where the protocol has that: hubbub's own. Lost is what was
// acknowledged and neither came nor was read so; `told` says whether the reader knows.
//
//     node tests/bench/outage.mjs [none] [everysec] [always]      what Redis keeps on its disk; without any: all
//
// A line for each run, BENCH_ROUNDS (5) of each: what is lost depends on which node is back first.
import { install, startPeer } from './peers.mjs';
import { ROUNDS, withCleanup } from './rig.mjs'; // says how servers are started, so before what starts them

const { connect } = await import('../e2e/lib/client.mjs');
const { startCluster, startRedis } = await import('../e2e/lib/redis.mjs');
const sio = await import('../e2e/lib/sio.mjs');
const { OPEN_ROOMS } = await import('../e2e/lib/story.mjs');
const { until, within } = await import('../e2e/lib/until.mjs');

const MESSAGES = 89, EVERY_MS = 50, OUTAGE_MS = 1500, PATIENCE_MS = 30_000;
const KILL_AFTER_MS = 1525; // between two messages
const KEEPS = { none: [], everysec: ['--appendonly', 'yes'], always: ['--appendonly', 'yes', '--appendfsync', 'always'] };
const ROOM = 'outage';
const DEFAULTS = { timeout: undefined, check: undefined, backoff: undefined }; // of the plugin, not the quick ones of the tests

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** A writer: write(n) resolves with whether it was taken. It never repeats. */
async function stockWriter(t, node) {
    const socket = await sio.connect(t, node);
    return n => within(new Promise(done => socket.emit('message', { roomId: ROOM, text: n }, done)), 'the ack', PATIENCE_MS)
        .then(answer => answer.ok);
}

/** `seen` has what came, `read` what was found in the history, `gaps` how often it was told of one. */
const newReader = () => ({ seen: [], read: [], gaps: -1 });

async function stockReader(t, node) {
    const reader = newReader(), socket = sio.open(t, node);
    socket.on('message', message => reader.seen.push(message.text));
    const isIn = new Promise(done => socket.on('connect', async () => {
        if (socket.recovered)
            return;
        reader.gaps++;
        await sio.join(socket, ROOM);
        done();
    }));
    socket.on('disconnect', reason => reason === 'io server disconnect' && socket.connect());
    await within(isIn, 'the reader to be in the room');
    return reader;
}

async function ownWriter(t, node) {
    const client = await connect(node);
    return n => client.request({ type: 'publish', room: ROOM, data: n, echo: false }, PATIENCE_MS).then(reply => reply.ok);
}

async function ownReader(t, node) {
    const reader = newReader();
    let isOver = false, cursor;
    t.after(() => { isOver = true; });
    const stay = async isIn => {
        const client = await connect(node);
        client.socket.on('message', data => {
            const message = JSON.parse(data);
            cursor = message.cursor ?? cursor;
            if (message.type === 'message')
                reader.seen.push(message.data);
        });
        const { recovered } = await client.join(ROOM, cursor && { since: cursor });
        reader.gaps += !recovered;
        if (!recovered)
            reader.read.push(...(await client.ok({ type: 'history', room: ROOM, limit: 1000 })).messages.map(({ data }) => data));
        isIn();
        await client.closed;
    };
    const isIn = new Promise(done => {
        const goOn = () => isOver || stay(done).catch(() => pause(50)).then(goOn);
        goOn();
    });
    await within(isIn, 'the reader to be in the room');
    return reader;
}

async function socketioNodes(t, redis) {
    const nodes = [await startPeer(t, redis.url), await startPeer(t, redis.url)];
    return nodes.map(({ port }) => ({ base: `http://127.0.0.1:${port}` }));
}

const hubbubNodes = (t, redis) => startCluster(t, redis, 2,
    { rooms: OPEN_ROOMS, transports: { websocket: {}, socketio: {} }, options: DEFAULTS });

const WAYS = {
    'socket.io, redis-adapter': { nodes: socketioNodes, writer: stockWriter, reader: stockReader },
    'hubbub, same clients': { nodes: hubbubNodes, writer: stockWriter, reader: stockReader },
    'hubbub, own protocol': { nodes: hubbubNodes, writer: ownWriter, reader: ownReader },
};

async function kill(redis) {
    await pause(KILL_AFTER_MS);
    await redis.kill();
    await pause(OUTAGE_MS);
    await redis.start();
}

/** Numbers of the messages that were taken. */
async function writeAll(write) {
    const began = performance.now(), answers = [];
    for (let n = 0; n < MESSAGES; n++) {
        await pause(Math.max(began + n * EVERY_MS - performance.now(), 0));
        answers.push(write(n).catch(() => false));
    }
    return (await Promise.all(answers)).flatMap((isTaken, n) => isTaken ? [n] : []);
}

/** What was written before the first of these to arrive has arrived, or never will. */
async function settle(write, { seen }) {
    let n = MESSAGES;
    await until(async () => {
        await write(n++).catch(() => false);
        return seen.some(number => number >= MESSAGES);
    }, 'a message after the outage', PATIENCE_MS, 200);
}

const HEADS = ['sent', 'acked', 'received', 'read', 'lost', 'doubled', 'told', 'in order'];

async function outage({ nodes, writer, reader }, keeps) {
    return withCleanup(async t => {
        const redis = await startRedis(t, ...KEEPS[keeps]);
        const [a, b] = await nodes(t, redis);
        const from = await reader(t, b), write = await writer(t, a);
        const [taken] = await Promise.all([writeAll(write), kill(redis)]);
        await settle(write, from);
        const came = from.seen.filter(n => n < MESSAGES), once = new Set(came);
        const read = new Set(from.read.filter(n => n < MESSAGES && !once.has(n)));
        const lost = taken.filter(n => !once.has(n) && !read.has(n));
        const isInOrder = came.every((n, i) => i === 0 || n >= came[i - 1]);
        return [MESSAGES, taken.length, once.size, read.size, lost.length, came.length - once.size, from.gaps, isInOrder ? 'yes' : 'no'];
    });
}

const row = (keeps, name, values) => console.log(keeps.padEnd(13) + name.padEnd(26)
    + values.map(value => String(value).padStart(10)).join(''));

install();
console.log(`a message every ${EVERY_MS} ms, Redis killed for ${OUTAGE_MS} ms`);
row('Redis keeps', 'nodes', HEADS);
const wanted = process.argv.slice(2);
for (const keeps of wanted.length ? wanted : Object.keys(KEEPS))
    for (const [name, way] of Object.entries(WAYS))
        for (let round = 0; round < ROUNDS; round++)
            row(keeps, name, await outage(way, keeps));
process.exit();
