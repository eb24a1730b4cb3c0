// Rooms over several nodes that share a Redis.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from './lib/client.mjs';
import { tokenFor } from './lib/jwt.mjs';
import { hasRedis, startCluster, startRedis } from './lib/redis.mjs';
import { connect as connectStock, told } from './lib/sio.mjs';
import { AUTH } from './lib/story.mjs';
import { until } from './lib/until.mjs';

const numbers = n => Array.from({ length: n }, (_, i) => i);
const data = (client, room) => client.messages(room).map(m => m.data);

describe('rooms over nodes', { skip: !hasRedis && 'no redis-server' }, () => {
    test('a message published on one node reaches the members on all of them, once', async t => {
        const redis = await startRedis(t);
        const hubs = await startCluster(t, redis, 3);
        const clients = await Promise.all(hubs.map(hub => connect(hub)));
        await Promise.all(clients.map(client => client.join('r')));
        for (const [i, client] of clients.entries())
            await client.publish('r', i);
        for (const client of clients)
            await until(() => data(client, 'r').length >= 3, () => `3 messages, got ${data(client, 'r')}`);
        for (const client of clients)
            assert.deepEqual(data(client, 'r'), [0, 1, 2]);
        const cursors = clients.map(client => client.messages('r').map(m => m.cursor).join());
        assert.equal(new Set(cursors).size, 1);
    });

    test('all nodes see one order when all publish at once', async t => {
        const redis = await startRedis(t);
        const hubs = await startCluster(t, redis, 3);
        const clients = await Promise.all(hubs.map(hub => connect(hub)));
        await Promise.all(clients.map(client => client.join('r')));
        await Promise.all(clients.flatMap((client, c) =>
            numbers(500).map(i => client.publish('r', `${c}-${i}`))));
        for (const client of clients)
            await until(() => data(client, 'r').length >= 1500, () => `1500 messages, got ${data(client, 'r').length}`);
        const [first, ...others] = clients.map(client => data(client, 'r'));
        assert.equal(new Set(first).size, 1500);
        for (const other of others)
            assert.deepEqual(other, first);
        for (const c of numbers(3))
            assert.deepEqual(first.filter(text => text.startsWith(`${c}-`)), numbers(500).map(i => `${c}-${i}`));
    });

    test('what is published at once goes to Redis together, and each message has its place', async t => {
        const redis = await startRedis(t);
        const [a, b] = await startCluster(t, redis, 2);
        const alice = await connect(a), bob = await connect(b);
        const { cursor } = await alice.join('r');
        await bob.join('r');
        const answers = await Promise.all(numbers(300).map(i => alice.publish('r', i)));
        assert.equal(new Set(answers.map(answer => answer.cursor)).size, 300);
        for (const client of [alice, bob]) {
            await until(() => data(client, 'r').length >= 300, () => `300 messages, got ${data(client, 'r').length}`);
            assert.deepEqual(data(client, 'r'), numbers(300));
            assert.deepEqual(client.messages('r').map(m => m.cursor), answers.map(answer => answer.cursor));
        }
        const page = await bob.ok({ type: 'history', room: 'r', since: answers[99].cursor, limit: 100 });
        assert.deepEqual(page.messages.map(m => m.data), numbers(100).map(i => i + 100));
        assert.equal((await bob.ok({ type: 'history', room: 'r', since: cursor, limit: 1 })).recovered, true);
        const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.command('INFO', 'commandstats'))[1]);
        assert.ok(calls < 150, `${calls} scripts`);
    });

    test('a stream that outlived its last position goes on behind its own', async t => {
        const redis = await startRedis(t);
        const [a, b] = await startCluster(t, redis, 2);
        const alice = await connect(a), bob = await connect(b);
        await alice.join('r');
        await bob.join('r');
        await redis.command('XADD', 'test:s:r', '99999999999999-5', 'a', 'b');
        const answers = await Promise.all(numbers(40).map(i => alice.publish('r', i)));
        for (const client of [alice, bob]) {
            await until(() => data(client, 'r').length >= 40, () => `40 messages, got ${data(client, 'r').length}`);
            assert.deepEqual(data(client, 'r'), numbers(40));
            assert.deepEqual(client.messages('r').map(m => m.cursor), answers.map(answer => answer.cursor));
        }
        assert.equal(await redis.command('XLEN', 'test:s:r'), ':41');
    });

    test('a cursor of one node recovers on another', async t => {
        const redis = await startRedis(t);
        const [a, b] = await startCluster(t, redis, 2);
        const alice = await connect(a), bob = await connect(a);
        await alice.join('r');
        const { cursor } = await bob.join('r');
        await bob.close();
        for (const i of numbers(200))
            alice.send({ type: 'publish', room: 'r', data: i });
        await alice.sync();
        await until(() => data(alice, 'r').length === 200, 'all of them');
        const back = await connect(b);
        const joined = await back.join('r', { since: cursor });
        assert.equal(joined.recovered, true);
        await until(() => data(back, 'r').length >= 200, 'the replay');
        assert.deepEqual(data(back, 'r'), numbers(200));
        await alice.publish('r', 'live');
        assert.equal((await back.next(m => m.data === 'live')).data, 'live');
        assert.equal(data(back, 'r').length, 201);
        const page = await back.ok({ type: 'history', room: 'r', since: cursor, limit: 10 });
        assert.deepEqual(page.messages.map(m => m.data), numbers(10));
        assert.equal(page.more, true);
        assert.equal(page.recovered, true);
        const newest = await back.ok({ type: 'history', room: 'r', limit: 3 });
        assert.deepEqual(newest.messages.map(m => m.data), [198, 199, 'live']);
    });

    test('what was trimmed is told', async t => {
        const redis = await startRedis(t);
        const [a, b] = await startCluster(t, redis, 2, {
            rooms: [{ match: '*', join: 'anyone', publish: 'members', history: { messages: 5, age: '1h' } }],
        });
        const alice = await connect(a);
        const { cursor } = await alice.join('r');
        const cursors = [];
        for (const i of numbers(8))
            cursors.push((await alice.publish('r', i)).cursor);
        const bob = await connect(b);
        assert.equal((await bob.join('r', { since: cursor })).recovered, false);
        await bob.leave('r');
        assert.equal((await bob.join('r', { since: cursors[1] })).recovered, false);
        await bob.leave('r');
        assert.equal((await bob.join('r', { since: cursors[2] })).recovered, true);
        await until(() => data(bob, 'r').length >= 5, 'five');
        assert.deepEqual(data(bob, 'r'), [3, 4, 5, 6, 7]);
    });

    test('a key retried on another node is recognised', async t => {
        const redis = await startRedis(t);
        const [a, b] = await startCluster(t, redis, 2);
        const body = { room: 'r', data: 1, key: 'k1' };
        const first = await a.publish(body), again = await b.publish(body);
        assert.equal(first.status, 200, first.text);
        assert.equal(again.json.cursor, first.json.cursor);
        assert.equal((await b.publish({ ...body, data: 2 })).status, 409);
        const reader = await connect(b);
        assert.equal((await reader.ok({ type: 'history', room: 'r' })).messages.length, 1);
    });

    test('keys of what goes to Redis together are each its own', async t => {
        const redis = await startRedis(t);
        const [a, b] = await startCluster(t, redis, 2, { plugins: [AUTH] });
        const [alice, again] = await Promise.all([a, b].map(hub => connect(hub, { token: tokenFor('alice') })));
        await alice.join('r');
        await again.join('r');
        const keyed = n => numbers(n).map(i => ({ type: 'publish', room: 'r', data: i, ...i % 3 && { key: `k${i}` } }));
        const first = await Promise.all(keyed(90).map(op => alice.ok(op)));
        const second = await Promise.all(keyed(93).map(op => again.ok(op)));
        for (const [i, { cursor }] of second.entries())
            assert.equal(cursor === first[i]?.cursor, i % 3 > 0 && i < 90, `${i}`);
        const all = [...numbers(90), ...numbers(93).filter(i => i % 3 === 0 || i >= 90)];
        for (const client of [alice, again]) {
            await until(() => data(client, 'r').length >= all.length, () => `${all.length} messages, got ${data(client, 'r').length}`);
            assert.deepEqual(data(client, 'r'), all);
        }
        const mixed = await Promise.all([1, 91, 200, 2].map(i =>
            alice.request({ type: 'publish', room: 'r', data: 'other', key: `k${i}` })));
        assert.deepEqual(mixed.map(reply => reply.error?.code), ['conflict', 'conflict', undefined, 'conflict']);
        assert.equal((await again.next(m => m.data === 'other')).cursor, mixed[2].cursor);
    });

    test('rooms without history have one order and no cursors', async t => {
        const redis = await startRedis(t);
        const hubs = await startCluster(t, redis, 2, { rooms: [{ match: '*', join: 'anyone', publish: 'members' }] });
        const clients = await Promise.all(hubs.map(hub => connect(hub)));
        await Promise.all(clients.map(client => client.join('r')));
        await Promise.all(clients.flatMap((client, c) => numbers(200).map(i => client.publish('r', `${c}-${i}`))));
        for (const client of clients)
            await until(() => data(client, 'r').length >= 400, () => `400 messages, got ${data(client, 'r').length}`);
        assert.deepEqual(data(clients[0], 'r'), data(clients[1], 'r'));
        assert.equal(clients[0].messages('r')[0].cursor, undefined);
    });

    test('echo:false keeps a message from its sender only', async t => {
        const redis = await startRedis(t);
        const [a, b] = await startCluster(t, redis, 2);
        const alice = await connect(a), bob = await connect(b);
        await alice.join('r');
        await bob.join('r');
        await alice.publish('r', 'quiet', { echo: false });
        await alice.publish('r', 'loud');
        await bob.next(m => m.data === 'loud');
        await alice.next(m => m.data === 'loud');
        assert.deepEqual(data(bob, 'r'), ['quiet', 'loud']);
        assert.deepEqual(data(alice, 'r'), ['loud']);
    });

    test('who comes while Redis is away is served, and is in his own room when it is back', async t => {
        const redis = await startRedis(t);
        const [hub] = await startCluster(t, redis, 1, { plugins: [AUTH], transports: { websocket: {}, longpoll: {}, socketio: {} } });
        const as = user => ({ Authorization: `Bearer ${tokenFor(user)}` });
        const before = (await hub.http('/hub/poll?room=r', { headers: as('carol') })).json;
        await hub.publish({ user: 'carol', data: 'missed' });
        redis.signal('SIGSTOP');
        await until(async () => await hub.metric('hubbub_backend_up') === 0, 'Redis to be missed');
        const alice = await connect(hub, { token: tokenFor('alice') }), bob = await connectStock(t, hub, { token: tokenFor('bob') });
        const carol = hub.http(`/hub/poll?room=r&cursor=${before.cursor}`, { headers: as('carol') });
        assert.equal((await alice.next(m => m.room === '@alice')).error.code, 'unavailable');
        assert.equal((await alice.request({ type: 'ping' })).ok, true);
        const back = await carol; // after the time that a join may take
        assert.equal(back.json.messages.find(m => m.room === '@carol').error.code, 'unavailable');
        redis.signal('SIGCONT');
        await alice.next(m => m.type === 'joined' && m.room === '@alice' && m.ok !== false);
        await hub.publish({ user: 'alice', data: 'welcome' });
        assert.equal((await alice.next(m => m.room === '@alice' && m.type === 'message')).data, 'welcome');
        await until(async () => {
            await hub.publish({ user: 'bob', data: { text: 'welcome' } });
            return told(bob, 'message').length > 0;
        }, 'the room of the stock client');
        const heard = [];
        let { ticket, cursor } = back.json;
        while (!heard.some(m => m.type === 'message' && m.room === '@carol')) {
            const next = (await hub.http(`/hub/poll?ticket=${ticket}&cursor=${cursor}`, { headers: as('carol') })).json;
            cursor = next.cursor;
            heard.push(...next.messages);
        }
        assert.deepEqual(heard.filter(m => m.room === '@carol').map(m => m.recovered ?? m.data), [true, 'missed']);
    });
});
