// A Redis that is there and refuses, in earnest: nothing acknowledged is lost, the process lives and says
// what is wrong, and goes on by itself when the fault is over.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from '../e2e/lib/client.mjs';
import { tokenFor } from '../e2e/lib/jwt.mjs';
import { hasRedis, startCluster, startProxy, startRedis } from '../e2e/lib/redis.mjs';
import { AUTH, OPEN_ROOMS, STORY, Story } from '../e2e/lib/story.mjs';
import { until } from '../e2e/lib/until.mjs';

const numbers = n => Array.from({ length: n }, (_, i) => i);
const isReady = async hub => (await hub.admin('/readyz')).status === 200;
const data = client => client.messages('r').map(m => m.data);
const later = (client, i) => client.request({ type: 'publish', room: 'r', data: i, key: `k${i}` }, 30_000);

/** A node with a member that has one message. */
async function start(t, redis, { options = {}, urls } = {}) {
    const [hub] = await startCluster(t, redis, 1, { rooms: OPEN_ROOMS, plugins: [AUTH], options, ...urls && { urls } });
    const alice = await connect(hub, { token: tokenFor('alice') });
    await alice.join('r');
    await alice.publish('r', 'before');
    await alice.nextMessage('r');
    return { hub, alice };
}

/** The node says what is wrong and is not ready; what is published meanwhile waits, and arrives once. */
async function survives({ hub, alice }, { harm, mend, says }) {
    const since = hub.stderr.length;
    await harm();
    const waiting = numbers(5).map(i => later(alice, i));
    await hub.logged(says, { since });
    await until(async () => !await isReady(hub), 'the node to be not ready');
    assert.equal(await hub.metric('hubbub_backend_up'), 0);
    await mend();
    for (const reply of await Promise.all(waiting))
        assert.ok(reply.ok, JSON.stringify(reply));
    await until(() => isReady(hub), 'the node to be ready again');
    await until(() => alice.messages('r').length >= 6, () => `all that waited, got ${data(alice)}`);
    assert.deepEqual(data(alice), ['before', ...numbers(5)]);
}

describe('a redis that refuses', { skip: !hasRedis && 'no redis-server' }, () => {
    test('READONLY: it has become a replica', async t => {
        const redis = await startRedis(t), other = await startRedis(t);
        const it = await start(t, redis);
        await redis.command('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
        await survives(it, {
            harm: () => redis.command('REPLICAOF', '127.0.0.2', String(other.port)), says: /READONLY/,
            mend: () => redis.command('REPLICAOF', 'NO', 'ONE'),
        });
    });

    test('NOAUTH: it wants a password from now on', async t => {
        const redis = await startRedis(t);
        const it = await start(t, redis);
        await redis.command('ACL', 'SETUSER', 'admin', 'on', '>admin', '~*', '&*', '+@all');
        await survives(it, {
            harm: async () => {
                await redis.command('CONFIG', 'SET', 'requirepass', 'secret');
                redis.login = ['admin', 'admin'];
                await redis.command('CLIENT', 'KILL', 'USER', 'default');
            },
            says: /NOAUTH/, mend: () => redis.command('CONFIG', 'SET', 'requirepass', ''),
        });
    });

    test('a wrong password is told as such, without the password', async t => {
        const redis = await startRedis(t);
        await redis.command('ACL', 'SETUSER', 'app', 'on', '>right', '~*', '&*', '+@all');
        const it = await start(t, redis, { urls: [`redis://app:right@127.0.0.1:${redis.port}`] });
        await survives(it, {
            harm: async () => {
                await redis.command('ACL', 'SETUSER', 'app', 'resetpass', '>other');
                await redis.command('CLIENT', 'KILL', 'USER', 'app');
            },
            says: /WRONGPASS/, mend: () => redis.command('ACL', 'SETUSER', 'app', '>right'),
        });
        assert.doesNotMatch(it.hub.stderr, /right/);
    });

    test('NOPERM: a right was taken away', async t => {
        const redis = await startRedis(t);
        await redis.command('ACL', 'SETUSER', 'app', 'on', '>right', '~*', '&*', '+@all');
        const it = await start(t, redis, { urls: [`redis://app:right@127.0.0.1:${redis.port}`] });
        await survives(it, {
            harm: () => redis.command('ACL', 'SETUSER', 'app', '-evalsha'), says: /NOPERM/,
            mend: () => redis.command('ACL', 'SETUSER', 'app', '+evalsha'),
        });
    });

    test('OOM: maxmemory is reached', async t => {
        const redis = await startRedis(t);
        const it = await start(t, redis);
        await survives(it, {
            harm: () => redis.command('CONFIG', 'SET', 'maxmemory', '1'), says: /OOM/,
            mend: () => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
        });
    });

    for (const [how, ms] of [['ALL', 8000], ['WRITE', 600_000]])
        test(`CLIENT PAUSE ${how}`, async t => {
            const redis = await startRedis(t);
            const it = await start(t, redis);
            await survives(it, {
                harm: () => redis.command('CLIENT', 'PAUSE', ms, how), says: /in time|nothing is heard/,
                mend: () => how === 'WRITE' && redis.command('CLIENT', 'UNPAUSE'), // a pause of all takes this too
            });
        });

    test('LOADING: it comes back with a large file to read', async t => {
        const redis = await startRedis(t, '--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024');
        const it = await start(t, redis);
        for (let i = 0; i < 2; i++)
            await redis.command('EVAL', 'for i = 1, 1500 do redis.call("SET", "filler:" .. ARGV[1] .. ":" .. i, string.rep("x", 100)) end', '0', String(i));
        await survives(it, {
            harm: async () => {
                await redis.command('SAVE');
                await redis.kill();
                redis.start().catch(() => {});
            },
            says: /LOADING/, mend: () => redis.command('CONFIG', 'SET', 'key-load-delay', '0').catch(() => {}),
        });
    });

    test('MOVED: a Redis of a cluster is refused with its own words, and nothing breaks', async t => {
        const redis = await startRedis(t), cluster = await startRedis(t, '--cluster-enabled', 'yes');
        const proxy = await startProxy(t, redis.port);
        const it = await start(t, redis, { urls: [proxy.url] });
        await survives(it, {
            harm: () => { proxy.to = cluster.port; proxy.cut(); }, says: /CLUSTERDOWN|MOVED|CROSSSLOT/,
            mend: () => { proxy.to = redis.port; proxy.cut(); },
        });
    });

    test('WRONGTYPE: keys of another type under our prefix spoil their room only', async t => {
        const redis = await startRedis(t);
        const { hub, alice } = await start(t, redis);
        for (const key of ['test:s:stream', 'test:k:keys'])
            await redis.command('SET', key, 'no stream');
        for (const key of ['test:l:last', 'test:v:last', 'test:u:last', 'test:p:last'])
            await redis.command('RPUSH', key, 'a list');
        for (const room of ['stream', 'last']) {
            await alice.fails({ type: 'publish', room, data: 1, key: 'k' }, 'unavailable');
            await alice.request({ type: 'join', room });
            await alice.request({ type: 'history', room });
        }
        await hub.logged(/WRONGTYPE/);
        await alice.publish('r', 'still fine');
        await alice.next(m => m.data === 'still fine');
        assert.ok(await isReady(hub));
        await redis.command('DEL', 'test:s:stream', 'test:l:last', 'test:v:last', 'test:u:last', 'test:p:last');
        for (const room of ['stream', 'last'])
            await alice.ok({ type: 'publish', room, data: 1, key: 'k2' });
    });

    test('a subscriber whose output buffer is full is cut off, and misses nothing', async t => {
        const redis = await startRedis(t);
        const { hub, alice } = await start(t, redis);
        await redis.command('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 20000 20000 1');
        const since = hub.stderr.length;
        hub.signal('SIGSTOP'); // so that nobody reads what is pushed to it
        const junk = 'x'.repeat(100_000);
        await until(async () => {
            await redis.command('PUBLISH', 'test:r:r', junk);
            return !(await redis.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).includes('addr=');
        }, 'the subscriber to be cut off');
        hub.signal('SIGCONT');
        await hub.logged(/subscriber connection: /, { since });
        for (const i of numbers(5))
            assert.ok((await later(alice, i)).ok);
        await until(() => alice.messages('r').length >= 6, () => `all of them, got ${data(alice)}`);
        assert.deepEqual(data(alice), ['before', ...numbers(5)]);
    });

    test('junk on every channel', async t => {
        const redis = await startRedis(t);
        const { hub, alice } = await start(t, redis);
        const channels = new Set(['test:r:r', 'test:r:', 'test:r:nobody', 'test:n:', 'test:c:00000000', 'test:c:', 'test:x:y', 'test:']);
        const [, node] = /([0-9a-f]{8})/.exec(await redis.command('PUBSUB', 'NUMSUB')) ?? [];
        if (node)
            channels.add(`test:c:${node}`);
        const kinds = numbers(8).flatMap(kind => ['', '\x00', '\xff\xff\xff\xff', '\x05\x00\x00\x00hello', 'a'.repeat(70_000)]
            .map(rest => `12345678${String.fromCharCode(kind)}${rest}`));
        const junk = ['', 'x', 'p ', 'p 1 1 j 1 1 ', 'p 1 1 j 9999 9999 x', 'p -1 -1 z -1 -1 x', `${'9'.repeat(20)}-0 1-1 hb1`, '1-1 0-0 hb1', ...kinds];
        for (const channel of channels)
            for (const payload of junk)
                await redis.command('PUBLISH', channel, payload);
        await alice.publish('r', 'fine');
        await alice.next(m => m.data === 'fine');
        assert.deepEqual(data(alice), ['before', 'fine']);
        assert.ok(await isReady(hub));
    });

    test('a journal that is full, or too long in it: unavailable, to be retried', async t => {
        const redis = await startRedis(t);
        const proxy = await startProxy(t, redis.port);
        const { alice } = await start(t, redis, { urls: [proxy.url], options: { journal: { time: '1s', size: '64KiB' } } });
        proxy.refuse = true;
        proxy.cut();
        const large = 'x'.repeat(10_000);
        const replies = await Promise.all(numbers(20).map(i =>
            alice.request({ type: 'publish', room: 'r', data: `${i} ${large}`, key: `k${i}` }, 30_000)));
        for (const reply of replies) {
            assert.equal(reply.error?.code, 'unavailable', JSON.stringify(reply).slice(0, 200));
            assert.equal(reply.error.retry, 'same key');
        }
        proxy.refuse = false;
        await until(async () => (await later(alice, 100)).ok, 'it to take some again');
        for (const i of numbers(20))
            assert.ok((await alice.request({ type: 'publish', room: 'r', data: `${i} ${large}`, key: `k${i}` }, 30_000)).ok);
        await until(() => numbers(20).every(i => data(alice).filter(text => String(text).startsWith(`${i} `)).length === 1), 'each of them, once');
    });

    test('connections cut at any byte of what Redis says, over and over', async t => {
        const redis = await startRedis(t);
        const proxy = await startProxy(t, redis.port);
        let left = Infinity, n = 0;
        proxy.filter = (chunk, pair) => {
            if (left >= chunk.length) {
                left -= chunk.length;
                return chunk;
            }
            const part = chunk.subarray(0, left);
            left = 200 + n++ * 37 % 1500; // every remainder of what an answer is long
            setImmediate(() => { pair.client.destroy(); pair.server.destroy(); });
            return part;
        };
        const hubs = await startCluster(t, redis, 3, { ...STORY, urls: [proxy.url, proxy.url, proxy.url] });
        const it = new Story(t, hubs, { transports: ['websocket', 'sse'] });
        await it.begin();
        await it.acked(5);
        left = 100;
        await until(() => n >= 60, () => `60 cuts, had ${n}`, 60_000);
        left = Infinity;
        await it.acked(10);
        const counted = await it.end();
        it.checkOneOrder();
        t.diagnostic(`${n} cuts, ${JSON.stringify(counted)}`);
        assert.deepEqual([counted.missing, counted.gaps], [0, 0]);
    });
});
