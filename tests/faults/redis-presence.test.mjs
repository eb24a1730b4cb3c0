// Three nodes, 300 users with two tabs on each; one node is killed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../e2e/lib/client.mjs';
import { SECRET, tokenFor } from '../e2e/lib/jwt.mjs';
import { hasRedis, startCluster, startRedis } from '../e2e/lib/redis.mjs';
import { until } from '../e2e/lib/until.mjs';

const USERS = 300, STAYING = 100; // on each node, and how many of the dead one's come back elsewhere
const PATIENCE_MS = 20_000;

/** A tab, which keeps nothing of what it is told. */
async function tab(hub, user) {
    const client = await connect(hub, { token: tokenFor(user) });
    await client.join('watched');
    client.received = { push() {}, filter: () => [], find: () => undefined };
}

/** Two tabs of each user, a hundred at a time. */
async function crowd(hub, h) {
    for (let i = 0; i < USERS; i += 50)
        await Promise.all(Array.from({ length: 100 }, (_, k) => tab(hub, `user-${h}-${i + (k >> 1)}`)));
}

/** What a watcher is told of users: the names of `join` and `leave` events, `users` that are there; at: when the last came. */
async function watch(hub, user) {
    const client = await connect(hub, { token: tokenFor(user) });
    const told = { client, join: [], leave: [], users: new Set(), at: 0 };
    const events = {
        sync: ({ users }) => { told.users = new Set(users.map(one => one.user)); },
        join: one => { told.users.add(one.user); told.join.push(one.user); },
        leave: one => { told.users.delete(one.user); told.leave.push(one.user); },
    };
    client.socket.on('message', text => {
        const message = JSON.parse(text);
        if (message.type !== 'presence')
            return;
        events[message.event](message);
        told.at = performance.now();
    });
    await client.join('watched');
    return told;
}

const userNames = (h, from, to) => Array.from({ length: to - from }, (_, i) => `user-${h}-${from + i}`);

for (const lease of [3, 15])
    test(`a node with ${USERS} users is killed, lease ${lease} s: who is gone leaves once, who comes back elsewhere never left`,
        { skip: !hasRedis && 'no redis-server' }, async t => {
            const hubs = await startCluster(t, await startRedis(t), 3, {
                rooms: [{ match: '*', join: 'anyone', publish: 'members', presence: true }],
                plugins: [{ 'auth-jwt': { secret: SECRET } }, { presence: { grace: '1s', list_up_to: 1000 } }],
                options: { lease: `${lease}s`, timeout: '10s', check: '10s' }, // a busy machine is no reason for a sync
            });
            const survivors = [await watch(hubs[0], 'watcher-0'), await watch(hubs[1], 'watcher-1')];
            for (const [h, hub] of hubs.entries())
                await crowd(hub, h);
            const known = () => survivors.map(({ users }) => users.size);
            await until(() => known().every(n => n === 3 * USERS + 2), () => `all to be known, got ${known()}`);
            for (const told of survivors)
                told.join = [];

            await hubs[2].kill();
            const killed = performance.now();
            await Promise.all(userNames(2, 0, STAYING).map((user, i) => tab(hubs[i % 2], user)));
            t.diagnostic(`${STAYING} are back ${Math.round(performance.now() - killed)} ms after the kill`);

            const gone = userNames(2, STAYING, USERS);
            for (const { client, leave } of survivors) {
                await until(() => leave.length >= gone.length, () => `the leaves, got ${leave.length}`, lease * 1000 + PATIENCE_MS);
                assert.equal((await client.ok({ type: 'presence', room: 'watched' })).count, 2 + 2 * USERS + STAYING);
            }
            t.diagnostic(`all leaves ${survivors.map(({ at }) => Math.round(at - killed)).join(' and ')} ms after the kill`);
            for (const { leave, join } of survivors)
                assert.deepEqual([leave.sort(), join], [gone.sort(), []]);
        });

test('what a dead owner held is removed at once, however much it is', { skip: !hasRedis && 'no redis-server' }, async t => {
    const N = 6000, redis = await startRedis(t);
    const [hub] = await startCluster(t, redis, 1, {
        rooms: [{ match: '*', join: 'anyone', publish: 'members', presence: true }],
        plugins: [{ 'auth-jwt': { secret: SECRET } }, { presence: { grace: '1s' } }],
    });
    const watcher = await connect(hub, { token: tokenFor('watcher') });
    await watcher.join('watched');
    await redis.command('EVAL', `for i = 1, ${N} do
        redis.call('HSET', 'test:p:watched', 's' .. i, 'dead u' .. i)
        redis.call('HSET', 'test:u:watched', 'u' .. i, '1 1 0 s' .. i .. ' -')
        redis.call('SADD', 'test:h:dead', 'watched\\0s' .. i)
    end
    redis.call('ZADD', 'test:o', 1, 'dead')`, '0');
    const began = performance.now();
    await until(async () => await redis.command('HLEN', 'test:u:watched') === ':1', 'all of them to be gone', 30_000);
    t.diagnostic(`${N} in ${Math.round(performance.now() - began)} ms`);
    assert.equal(await redis.command('EXISTS', 'test:h:dead'), ':0');
    assert.equal((await watcher.ok({ type: 'presence', room: 'watched' })).count, 1);
});
