// What a plugin tells and asks many clients at once: all, those of a namespace, of a room, of a node.
import assert from 'node:assert/strict';
import { join as path } from 'node:path';
import { describe, test } from 'node:test';
import { connect as connectNative } from './lib/client.mjs';
import { hasRedis, startCluster, startRedis } from './lib/redis.mjs';
import { buildDir, startHub } from './lib/server.mjs';
import { WAYS, ask, connect, connected, inState, join, open, receives, told } from './lib/sio.mjs';
import { until } from './lib/until.mjs';

const OK = 0, UNAVAILABLE = 14;
const TRANSPORTS = { websocket: {}, socketio: { namespaces: ['/', '/x'] } };
const DIRECTORIES = [path(buildDir, 'tests/abi'), path(buildDir, 'plugins')];
const ROOMS = [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 1000, age: '5m' } }];
const start = t => startHub(t, { transports: TRANSPORTS, rooms: ROOMS, plugins: { directories: DIRECTORIES, load: [{ asker: {} }] } });

/** A client that answers `question` with its name and what it was asked. */
async function answering(t, hub, name, options) {
    const socket = await connect(t, hub, options);
    socket.on('question', (what, answer) => answer(`${name}: ${what}`));
    return socket;
}

/** What came back, in an order of its own. */
async function askMany(socket, event, what = 'well') {
    const [{ code, answers }] = await ask(socket, event, what);
    return { code, answers: answers.toSorted() };
}

describe('on one node', () => {
    test('everybody is asked, over each way, and all the answers come in one list', async t => {
        const hub = await start(t);
        const sockets = await Promise.all(Object.values(WAYS).map((transports, i) => answering(t, hub, `c${i}`, { transports })));
        for (const socket of sockets)
            assert.deepEqual(await askMany(socket, 'ask-all'), { code: OK, answers: ['c0: well', 'c1: well', 'c2: well'] });
        assert.deepEqual(await askMany(sockets[0], 'ask-others', 'who'), { code: OK, answers: ['c1: who', 'c2: who'] });
    });

    test('a namespace is asked, and a room in it, and nobody else', async t => {
        const hub = await start(t);
        const main = await answering(t, hub, 'main');
        const [one, two] = [await answering(t, hub, 'one', { namespace: '/x' }), await answering(t, hub, 'two', { namespace: '/x' })];
        await join(main, 'hall');
        await join(two, 'hall');
        assert.deepEqual(await askMany(one, 'ask-all'), { code: OK, answers: ['one: well', 'two: well'] });
        assert.deepEqual(await askMany(one, 'ask-hall'), { code: OK, answers: ['two: well'] });
        assert.deepEqual(await askMany(main, 'ask-hall'), { code: OK, answers: ['main: well'] });
        await ask(one, 'tell-hall', 'only here');
        await receives(two, 'news', 1);
        await ask(two, 'tell-all', 'all of x');
        for (const [socket, news] of [[one, ['all of x']], [two, ['only here', 'all of x']], [main, []]])
            await until(() => told(socket, 'news').length === news.length && assert.deepEqual(told(socket, 'news'), news) === undefined, 'the news');
    });

    test('nobody there is an empty list; who leaves or keeps silent makes it incomplete', async t => {
        const hub = await start(t);
        const one = await connect(t, hub);
        assert.deepEqual(await askMany(one, 'ask-hall'), { code: OK, answers: [] });
        assert.deepEqual(await askMany(one, 'ask-others'), { code: OK, answers: [] });
        const two = await answering(t, hub, 'two'), leaving = await connect(t, hub);
        leaving.on('question', () => leaving.disconnect());
        assert.deepEqual(await askMany(two, 'ask-others'), { code: UNAVAILABLE, answers: [] }); // one is silent
        one.on('question', (what, answer) => answer('late no more'));
        assert.deepEqual(await askMany(two, 'ask-all'), { code: OK, answers: ['late no more', 'two: well'] });
        const gone = await connect(t, hub);
        gone.on('question', () => gone.io.engine.close());
        gone.io.reconnection(false);
        assert.deepEqual(await askMany(two, 'ask-others'), { code: UNAVAILABLE, answers: ['late no more'] });
    });

    test('clients of other transports hear it, and are not waited for', async t => {
        const hub = await start(t);
        const socket = await answering(t, hub, 'sio'), native = await connectNative(hub);
        await native.join('hall');
        await join(socket, 'hall');
        assert.deepEqual(await askMany(socket, 'ask-all'), { code: OK, answers: ['sio: well'] });
        const heard = await native.next(m => m.event === 'question');
        assert.deepEqual([heard.room, heard.data], [null, 'well']);
        assert.deepEqual(await askMany(socket, 'ask-hall', 'again'), { code: OK, answers: ['sio: again'] });
        await native.next(m => m.event === 'question' && m.data === 'again');
    });

    test('who is being sent the history of the room hears it too', async t => {
        const hub = await start(t);
        const socket = await answering(t, hub, 'sio');
        await join(socket, 'hall');
        const { json } = await hub.publish({ room: 'hall', data: 0 });
        for (let i = 1; i <= 600; i++)
            await hub.publish({ room: 'hall', data: `${i}`.padEnd(200) });
        const native = await connectNative(hub);
        native.send({ type: 'join', id: 1, room: 'hall', since: json.cursor });
        await Promise.all([1, 2, 3, 4].map(i => askMany(socket, 'ask-hall', `live ${i}`)));
        await until(() => native.messages().filter(m => m.room === 'hall').length === 600, 'the history');
        await ask(socket, 'tell-hall', 'last');
        await native.next(m => m.event === 'news');
        const order = native.messages().map(m => m.event);
        assert.equal(order.filter(event => event === 'question').length <= 4, true);
        assert.deepEqual(native.messages().filter(m => m.room === 'hall').map(m => Number(m.data)), Array.from({ length: 600 }, (_, i) => i + 1));
    });

    test('answers are whatever clients send: nothing, several, bytes, none at all', async t => {
        const hub = await start(t);
        const one = await connect(t, hub);
        for (const [answer, list] of [[[], [[]]], [[1, 'b'], [[1, 'b']]], [[Buffer.from([7])], [Buffer.from([7])]], [[null], [null]], [[''], ['']]]) {
            one.removeAllListeners('question');
            one.on('question', (what, reply) => reply(...answer));
            const [back] = await ask(one, 'ask-all', 1);
            assert.deepEqual(back, { code: OK, answers: list });
        }
    });

    test('a hundred clients are asked five things at once', async t => {
        const hub = await start(t);
        const sockets = await Promise.all(Array.from({ length: 100 }, (_, i) => answering(t, hub, `c${i}`, { transports: ['websocket'] })));
        await Promise.all(sockets.map(socket => join(socket, 'hall')));
        const lists = await Promise.all([0, 1, 2, 3, 4].map(i => askMany(sockets[i], i % 2 ? 'ask-hall' : 'ask-all', i)));
        for (const [i, { code, answers }] of lists.entries()) {
            assert.equal(code, OK);
            assert.deepEqual(answers, sockets.map((_, c) => `c${c}: ${i}`).toSorted());
        }
    });

    test('a module that answers by a ticket sends before its ack', async t => {
        const hub = await start(t);
        for (const transports of Object.values(WAYS)) {
            const socket = await connect(t, hub, { transports }), order = [];
            socket.on('news', n => order.push(n));
            for (let i = 0; i < 20; i++)
                socket.emit('tell-first', i, answer => order.push(answer));
            await until(() => order.length === 40, 'all acks');
            assert.deepEqual(order, Array.from({ length: 20 }, (_, i) => [i, 'told']).flat());
        }
    });
});

describe('over nodes', { skip: !hasRedis && 'no redis-server' }, () => {
    const startNodes = async t => {
        const hubs = await startCluster(t, await startRedis(t), 2, { transports: TRANSPORTS, plugins: [{ asker: {} }], directories: DIRECTORIES });
        for (const hub of hubs)
            await until(async () => (await hub.admin('/api/v1/nodes')).json.items.length === 2, 'the nodes to know each other');
        return hubs;
    };

    test('all nodes are asked and told, or this one alone', async t => {
        const [a, b] = await startNodes(t);
        const one = await answering(t, a, 'one', { namespace: '/x' }), two = await answering(t, b, 'two', { namespace: '/x' });
        const main = await answering(t, b, 'main');
        await join(two, 'hall');
        assert.deepEqual(await askMany(one, 'ask-all'), { code: OK, answers: ['one: well', 'two: well'] });
        assert.deepEqual(await askMany(one, 'ask-hall'), { code: OK, answers: ['two: well'] });
        assert.deepEqual(await askMany(two, 'ask-others'), { code: OK, answers: ['one: well'] });
        assert.deepEqual(await askMany(one, 'ask-here'), { code: OK, answers: ['one: well'] });
        assert.deepEqual(await askMany(main, 'ask-all'), { code: OK, answers: ['main: well'] });
        await ask(one, 'tell-all', 'x');
        await ask(one, 'tell-hall', 'hall');
        await receives(two, 'news', 2);
        await receives(one, 'news', 1);
        assert.deepEqual([one, two, main].map(socket => told(socket, 'news')), [['x'], ['x', 'hall'], []]);
    });

    test('all are put out of a namespace, on all nodes, and stay in the others', async t => {
        const [a, b] = await startNodes(t);
        const mains = [await connect(t, a), await connect(t, b)];
        const parts = mains.map(main => open(t, null, { manager: main.io, namespace: '/x' }));
        for (const part of parts)
            await connected(part);
        const native = await connectNative(b);
        parts[0].emit('put-all-out');
        for (const part of parts)
            await inState(part, 'io server disconnect');
        for (const main of mains)
            await join(main, 'hall');
        await native.sync();
        assert.deepEqual(mains.map(main => main.states), [['connect'], ['connect']]);
    });

    test('a node that does not answer makes the list incomplete', async t => {
        const [a, b] = await startNodes(t);
        const one = await answering(t, a, 'one');
        await answering(t, b, 'two');
        b.signal('SIGSTOP');
        const back = await askMany(one, 'ask-all');
        b.signal('SIGCONT');
        assert.deepEqual(back, { code: UNAVAILABLE, answers: ['one: well'] });
    });
});
