// Three nodes, 300 users with two tabs on each; one node is killed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../e2e/lib/client.mjs';
import { SECRET, tokenFor } from '../e2e/lib/jwt.mjs';
import { hasRedis, startCluster, startRedis } from '../e2e/lib/redis.mjs';
import { until } from '../e2e/lib/until.mjs';

const LEASE_MS = 3000, USERS = 300;

test('a node with 300 users is killed: each leaves once, within the lease and two seconds',
    { skip: !hasRedis && 'no redis-server' }, async t => {
        const hubs = await startCluster(t, await startRedis(t), 3, {
            rooms: [{ match: '*', join: 'anyone', publish: 'members', presence: true }],
            plugins: [{ 'auth-jwt': { secret: SECRET } }, { presence: { grace: '1s', list_up_to: 1000 } }],
            options: { lease: `${LEASE_MS}ms` },
        });
        const watchers = [];
        for (const [h, hub] of hubs.entries()) {
            const watcher = await connect(hub, { token: tokenFor(`watcher-${h}`) });
            await watcher.join('watched');
            watchers.push(watcher);
            for (let i = 0; i < USERS; i += 50)
                await Promise.all(Array.from({ length: 100 }, async (_, k) => {
                    const client = await connect(hub, { token: tokenFor(`user-${h}-${i + (k >> 1)}`) });
                    await client.join('watched');
                    client.received = { push() {}, filter: () => [], find: () => undefined };
                }));
        }
        const leaves = watcher => watcher.received.filter(m => m.type === 'presence' && m.event === 'leave').map(m => m.user);
        const killed = performance.now();
        await hubs[2].kill();
        for (const watcher of watchers.slice(0, 2)) {
            await until(() => leaves(watcher).length >= USERS + 1, () => `the leaves, got ${leaves(watcher).length}`, 20_000);
            t.diagnostic(`${Math.round(performance.now() - killed)} ms`);
        }
        for (const watcher of watchers.slice(0, 2)) {
            await watcher.sync();
            const seen = leaves(watcher);
            assert.equal(new Set(seen).size, seen.length, 'once each');
            assert.ok(seen.every(user => user.startsWith('user-2-') || user === 'watcher-2'));
            assert.equal((await watcher.ok({ type: 'presence', room: 'watched' })).count, 2 * (USERS + 1));
        }
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
