// Rooms over several nodes that share a Redis.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from './lib/client.mjs';
import { hasRedis, startCluster, startRedis } from './lib/redis.mjs';
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
});
