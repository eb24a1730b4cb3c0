// Who is in a room, over several nodes that share a Redis.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { hasRedis, startCluster, startRedis } from './lib/redis.mjs';
import { until } from './lib/until.mjs';

const ROOMS = [{ match: 'plain', join: 'anyone', publish: 'members', presence: true }, { match: '*', join: 'anyone', publish: 'members', presence: true, history: { messages: 100, age: '5m' } }];

const start = (t, redis, n, { grace = '1s', lease = '3s' } = {}) => startCluster(t, redis, n, {
    rooms: ROOMS,
    plugins: [{ 'auth-jwt': { secret: SECRET } }, { presence: { grace } }],
    options: { lease },
});
const enter = async (hub, user, room = 'r') => {
    const client = await connect(hub, { token: tokenFor(user) });
    await client.join(room);
    return client;
};
const changes = client => client.received.filter(m => m.type === 'presence' && m.event !== 'sync')
    .map(m => `${m.event} ${m.user}`);
const presence = (client, event, user) => client.next(m => m.type === 'presence' && m.event === event && m.user === user);
const users = async client => (await client.ok({ type: 'presence', room: 'r' })).users.map(({ user }) => user);

describe('presence over nodes', { skip: !hasRedis && 'no redis-server' }, () => {
    test('joins, updates and leaves are told on every node', async t => {
        const [a, b] = await start(t, await startRedis(t), 2);
        const alice = await enter(a, 'alice');
        const bob = await enter(b, 'bob');
        assert.equal((await presence(alice, 'join', 'bob')).user, 'bob');
        assert.deepEqual(await users(alice), ['alice', 'bob']);
        assert.deepEqual(await users(bob), ['alice', 'bob']);
        await bob.ok({ type: 'presence', room: 'r', data: { mood: 'fine' } });
        assert.deepEqual((await presence(alice, 'update', 'bob')).data, { mood: 'fine' });
        const tab = await enter(a, 'bob');
        await bob.leave('r');
        await tab.leave('r');
        await presence(alice, 'leave', 'bob');
        assert.deepEqual(await users(alice), ['alice']);
        assert.deepEqual(changes(alice), ['join bob', 'update bob', 'leave bob']);
    });

    test('who comes back to another node within the grace was never gone', async t => {
        const [a, b] = await start(t, await startRedis(t), 2, { grace: '2s' });
        const alice = await enter(a, 'alice');
        const bob = await enter(b, 'bob');
        await presence(alice, 'join', 'bob');
        bob.terminate();
        await bob.closed;
        const again = await enter(a, 'bob');
        const carol = await enter(b, 'carol');
        carol.terminate();
        await presence(alice, 'leave', 'carol'); // its grace began after bob's
        assert.deepEqual(changes(alice), ['join bob', 'join carol', 'leave carol']);
        assert.deepEqual(await users(again), ['alice', 'bob']);
    });

    test('a node killed is noticed within its lease; each of its users leaves once', async t => {
        const [a, b, c] = await start(t, await startRedis(t), 3);
        const watchers = [await enter(a, 'watcher-a'), await enter(b, 'watcher-b')];
        const names = Array.from({ length: 30 }, (_, i) => `user-${i}`);
        const tabs = await Promise.all(names.flatMap(name => [enter(c, name), enter(c, name)]));
        const elsewhere = await enter(a, 'user-0');
        for (const watcher of watchers)
            await until(() => changes(watcher).filter(text => text.startsWith('join user-')).length === 30, 'all joins');
        const killed = performance.now();
        await c.kill();
        const back = await enter(b, 'user-1');
        for (const watcher of watchers)
            await until(() => changes(watcher).filter(text => text.startsWith('leave')).length >= 28, 'the leaves');
        t.diagnostic(`${Math.round(performance.now() - killed)} ms`);
        assert.deepEqual((await users(back)).toSorted(), ['user-0', 'user-1', 'watcher-a', 'watcher-b']);
        for (const watcher of watchers)
            assert.deepEqual(changes(watcher).filter(text => text.startsWith('leave')).toSorted(),
                names.slice(2).map(name => `leave ${name}`).toSorted());
        elsewhere.terminate();
        for (const tab of tabs)
            tab.terminate();
    });

    test('a redis that has forgotten who is there is told', async t => {
        const redis = await startRedis(t);
        const [a, b] = await start(t, redis, 2);
        const alice = await enter(a, 'alice', 'plain');
        await enter(b, 'bob', 'plain');
        await presence(alice, 'join', 'bob');
        await redis.command('DEL', 'test:o', 'test:u:plain', 'test:p:plain', 'test:v:plain');
        const count = async () => (await alice.ok({ type: 'presence', room: 'plain' })).count;
        await until(async () => await count() === 2, 'both to be there again');
        const carol = await enter(b, 'carol', 'plain');
        await presence(alice, 'join', 'carol');
        await carol.leave('plain');
        await presence(alice, 'leave', 'carol');
    });
});
