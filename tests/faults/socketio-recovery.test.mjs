// minutes: 6
// Clients of Socket.IO whose network fails in every way it can: cut at random, in the middle of frames,
// in either direction, or silent until somebody gives up; and whose nodes restart by turns. HUBBUB_ROUNDS:
// how often (default 5), HUBBUB_SEED: the first round's.
import assert from 'node:assert/strict';
import test from 'node:test';
import { hasRedis, startCluster, startRedis } from '../e2e/lib/redis.mjs';
import { startRelay } from '../e2e/lib/relay.mjs';
import { WAYS, connect, join, receives, texts } from '../e2e/lib/sio.mjs';
import { cutAtAnyMoment, disturbed } from '../e2e/lib/sio-cut.mjs';
import { until } from '../e2e/lib/until.mjs';

const ROUNDS = Number(process.env.HUBBUB_ROUNDS) || 5;
const SEED = Number(process.env.HUBBUB_SEED) || Date.now() % 1e9;
const CONFIG = { rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 1000, age: '5m' } }] };

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed) {
    let state = seed >>> 0;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** After a message: mostly nothing, or one kind of fault for some of the connections. */
function faults(random) {
    const some = () => random() < 0.4;
    const kinds = [
        relay => relay.cut(),
        relay => relay.cut(some),
        relay => relay.cutWithin(some, 1 + Math.floor(random() * 300)),
        relay => relay.stall(some, random() < 0.5 ? 'in' : 'out'),
        relay => relay.refuse(true) || pause(random() * 50).then(() => relay.refuse(false)),
        () => pause(random() * 30),
    ];
    return async relay => {
        if (random() < 0.12)
            await kinds[Math.floor(random() * kinds.length)](relay);
    };
}

for (const workers of [1, 4])
    for (let round = 0; round < ROUNDS; round++) {
        test(`${workers} workers: cut at any moment, round ${round}`, t =>
            cutAtAnyMoment(t, { config: { ...CONFIG, workers }, messages: 400, cuts: 8 }));

        test(`${workers} workers: faults at random, seed ${SEED + round}`, t =>
            disturbed(t, { config: { ...CONFIG, workers }, messages: 400, seconds: 60,
                disturb: faults(randomOf(SEED + round)) }));
    }

for (const workers of [1, 4])
    test(`${workers} workers: two nodes over one Redis are drained and started again by turns`,
        { skip: !hasRedis && 'no redis-server' }, async t => {
            const redis = await startRedis(t), sockets = [];
            const hubs = await startCluster(t, redis, 2, { ...CONFIG, workers, drain: { timeout: '3s' },
                transports: { socketio: { recovery: '1m', ping_interval: '500ms', ping_timeout: '1s' } } });
            const door = { port: hubs[0].port }, relay = await startRelay(t, door);
            for (let i = 0; i < 12; i++)
                sockets.push(await connect(t, relay, { transports: Object.values(WAYS)[i % 3], timeout: 2000,
                    reconnectionDelay: 500, reconnectionDelayMax: 500 }));
            for (const socket of sockets)
                await join(socket, 'r');
            let sent = 0;
            for (let round = 0; round < ROUNDS; round++) {
                const from = hubs[round % 2], to = hubs[(round + 1) % 2];
                const publish = async () => {
                    const { status } = await to.publish({ room: 'r', event: 'message', data: { text: ++sent } });
                    assert.equal(status, 200);
                };
                let stopped = false;
                door.port = to.port;
                const stop = from.stop().finally(() => { stopped = true; });
                await until(() => publish().then(() => stopped), 'the end of a node', 30_000);
                await stop;
                await until(() => sockets.every(socket => socket.connected), () => `all to be back; ${sockets.map(s => s.states)}`);
                await publish();
                for (const socket of sockets)
                    await receives(socket, 'message', sent);
                await from.start();
            }
            sockets.forEach((socket, i) => {
                assert.deepEqual(texts(socket), Array.from({ length: sent }, (_, n) => n + 1), `client ${i} that was ${socket.states}`);
                assert.equal(socket.states.lastIndexOf('connect'), 0, `client ${i} was ${socket.states}`);
            });
        });
