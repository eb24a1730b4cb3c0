// minutes: 12
// A cluster while its Redis fails: every acknowledged message once, in order, or word of the gap.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from '../e2e/lib/client.mjs';
import { tokenFor } from '../e2e/lib/jwt.mjs';
import { hasRedis, startCluster, startProxy, startRedis, startSentinel } from '../e2e/lib/redis.mjs';
import { AUTH, OPEN_ROOMS, STORY, Story } from '../e2e/lib/story.mjs';
import { until } from '../e2e/lib/until.mjs';

const pause = ms => new Promise(resolve => setTimeout(resolve, ms)); // how long a fault lasts, never to wait for an effect
const ready = hub => hub.admin('/readyz').then(({ status }) => status === 200);

async function story(t, redis, { cluster = {}, ...options } = {}) {
    const hubs = await startCluster(t, redis, 3, { ...STORY, ...cluster });
    const it = new Story(t, hubs, options);
    await it.begin();
    await it.acked(10);
    return { hubs, it };
}

async function finish(t, it) {
    await it.acked(10);
    const counted = await it.end();
    it.checkOneOrder();
    t.diagnostic(JSON.stringify(counted));
    return counted;
}

describe('redis', { skip: !hasRedis && 'no redis-server' }, () => {
    for (const [name, args] of Object.entries({
        none: [], everysec: ['--appendonly', 'yes'], always: ['--appendonly', 'yes', '--appendfsync', 'always'],
    }))
        for (const ms of [1500, 30_000])
            test(`killed for ${ms} ms, persistence ${name}`, async t => {
                const redis = await startRedis(t, ...args);
                const { hubs, it } = await story(t, redis);
                await redis.kill();
                await until(async () => !await ready(hubs[0]), 'the node to be not ready');
                assert.equal(await hubs[0].metric('hubbub_backend_up'), 0);
                await pause(ms);
                await redis.start();
                const counted = await finish(t, it);
                if (name === 'always')
                    assert.deepEqual([counted.missing, counted.gaps], [0, 0]);
                await until(() => ready(hubs[0]), 'the node to be ready again');
            });

    test('stopped for three seconds', async t => {
        const redis = await startRedis(t);
        const { it } = await story(t, redis);
        redis.signal('SIGSTOP');
        await pause(3000);
        redis.signal('SIGCONT');
        const counted = await finish(t, it);
        assert.deepEqual([counted.missing, counted.gaps], [0, 0]);
    });

    for (const how of ['cut', 'stalled'])
        test(`one node ${how} off from it`, async t => {
            const redis = await startRedis(t);
            const proxy = await startProxy(t, redis.port);
            const { it } = await story(t, redis, { cluster: { urls: [undefined, proxy.url] } });
            proxy.refuse = how === 'cut';
            proxy.stall = how === 'stalled';
            if (proxy.refuse)
                proxy.cut();
            await pause(3000);
            proxy.refuse = proxy.stall = false;
            proxy.cut();
            const counted = await finish(t, it);
            assert.deepEqual([counted.missing, counted.gaps], [0, 0]);
        });

    test('connections cut again and again, in mid-reply', async t => {
        const redis = await startRedis(t);
        const proxy = await startProxy(t, redis.port);
        let left = 0;
        proxy.filter = (chunk, pair) => {
            if (left <= 0 || chunk.length < 40 || --left)
                return chunk;
            setImmediate(() => { pair.client.destroy(); pair.server.destroy(); });
            return chunk.subarray(0, chunk.length - 7);
        };
        const { it } = await story(t, redis, { cluster: { urls: [proxy.url, proxy.url, proxy.url] } });
        for (let i = 0; i < 20; i++) {
            left = 5;
            await pause(150);
        }
        left = 0;
        const counted = await finish(t, it);
        assert.deepEqual([counted.missing, counted.gaps], [0, 0]);
    });

    test('single pushes that never come', async t => {
        const redis = await startRedis(t);
        const proxy = await startProxy(t, redis.port);
        let dropped = 0, n = 0;
        proxy.filter = chunk => {
            if (!chunk.subarray(0, 13).equals(Buffer.from('*3\r\n$7\r\nmessa')) || chunk.includes('beat') || ++n % 4)
                return chunk;
            dropped++;
            return null; // whole pushes: each comes in a segment of its own
        };
        const { it } = await story(t, redis, { cluster: { urls: [undefined, proxy.url] } });
        const counted = await finish(t, it);
        assert.ok(dropped > 10, `${dropped} dropped`);
        assert.deepEqual([counted.missing, counted.gaps], [0, 0]);
    });

    test('the last push is lost and nothing follows', async t => {
        const redis = await startRedis(t);
        const proxy = await startProxy(t, redis.port);
        const [a, b] = await startCluster(t, redis, 2, { rooms: OPEN_ROOMS, urls: [undefined, proxy.url] });
        const alice = await connect(a), bob = await connect(b);
        await alice.join('r');
        await bob.join('r');
        proxy.filter = chunk => chunk.includes('lost-one') && chunk.includes('message') ? null : chunk;
        await alice.publish('r', 'lost-one');
        proxy.filter = chunk => chunk;
        assert.equal((await bob.nextMessage('r')).data, 'lost-one');
    });

    test('emptied: who has everything goes on, who has not is told', async t => {
        const redis = await startRedis(t);
        const proxy = await startProxy(t, redis.port);
        const [a, b] = await startCluster(t, redis, 2, { rooms: OPEN_ROOMS, urls: [undefined, proxy.url] });
        const alice = await connect(a), bob = await connect(b);
        const { cursor: start } = await alice.join('r');
        await bob.join('r');
        await alice.publish('r', 1);
        await bob.nextMessage('r');
        proxy.refuse = true;
        proxy.cut();
        const { cursor } = await alice.publish('r', 'not for bob');
        await alice.next(m => m.data === 'not for bob');
        await redis.command('FLUSHALL');
        await until(async () => await redis.command('GET', 'test:l:r') !== '$-1', 'the position to be put back');
        proxy.refuse = false;
        assert.equal((await bob.waitClose()).bye.reconnect, true);
        const back = await connect(b);
        assert.equal((await back.join('r', { since: start })).recovered, false);
        await back.leave('r');
        assert.equal((await back.join('r', { since: cursor })).recovered, true);
        await alice.publish('r', 'goes on');
        assert.equal((await back.nextMessage('r')).data, 'goes on');
        await alice.next(m => m.data === 'goes on');
    });

    test('emptied, and the first to come back has missed something: all are told', async t => {
        const redis = await startRedis(t);
        const proxies = [await startProxy(t, redis.port), await startProxy(t, redis.port)];
        const [a, b] = await startCluster(t, redis, 2, { rooms: OPEN_ROOMS, urls: proxies.map(({ url }) => url) });
        const alice = await connect(a), bob = await connect(b);
        const { cursor } = await alice.join('r');
        await bob.join('r');
        proxies[1].refuse = true;
        proxies[1].cut();
        await alice.publish('r', 'not for bob');
        await alice.next(m => m.data === 'not for bob');
        proxies[0].refuse = true;
        proxies[0].cut();
        await redis.command('FLUSHALL');
        proxies[1].refuse = false;
        await until(async () => await redis.command('GET', 'test:l:r') !== '$-1', 'the position to be put back');
        proxies[0].refuse = false;
        await Promise.all([alice, bob].map(client => client.waitClose()));
        const back = await connect(b);
        assert.equal((await back.join('r', { since: cursor })).recovered, false);
    });

    test('junk on its channels and in its keys', async t => {
        const redis = await startRedis(t);
        const [a] = await startCluster(t, redis, 1, { rooms: OPEN_ROOMS });
        const alice = await connect(a);
        await alice.join('r');
        for (const junk of ['', 'x', '1-1 0-0 ', '1-1 0-0 hb1', '9'.repeat(500), '99999999999999-0 1-1 junk'])
            await redis.command('PUBLISH', 'test:r:r', junk);
        await redis.command('XADD', 'test:s:junk', '*', 'a', 'b');
        await redis.command('SET', 'test:s:wrong', 'type');
        await redis.command('SET', 'test:l:odd', 'no position');
        await alice.publish('r', 'fine');
        assert.equal((await alice.nextMessage('r')).data, 'fine');
        await alice.fails({ type: 'publish', room: 'wrong', data: 1 }, 'unavailable');
        await alice.request({ type: 'history', room: 'junk' });
        await alice.request({ type: 'publish', room: 'odd', data: 1 });
        await alice.request({ type: 'join', room: 'odd' });
        await alice.publish('r', 'still fine');
        assert.equal((await alice.nextMessage('r')).data, 'still fine');
    });

    test('hostile answers: an error, a new connection, and no more', async t => {
        const redis = await startRedis(t);
        const proxy = await startProxy(t, redis.port);
        const [hub] = await startCluster(t, redis, 1, { rooms: OPEN_ROOMS, plugins: [AUTH], urls: [proxy.url] });
        const alice = await connect(hub, { token: tokenFor('alice') });
        await alice.join('r');
        const answers = ['-LOADING Redis is loading', "-READONLY You can't write", '-NOAUTH Authentication required.',
            '-MOVED 1 127.0.0.1:1', '-MASTERDOWN Link', '-WRONGTYPE x', '-NOSCRIPT No', '-OOM x', '-ERR unknown', '+OK', ':1', '$-1',
            '*-1', '*0', '*3\r\n$7\r\nmessage\r\n$-1\r\n:5', '*2147483647', '$2147483647', '$-7', '*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1',
            'HTTP/1.1 400 Bad Request', '\0\xff\xfe', '*1000000\r\n*1000000\r\n*1000000', '$5\r\nabcdefgh'];
        for (const [i, answer] of answers.entries()) {
            proxy.filter = () => Buffer.from(`${answer}\r\n`, 'latin1');
            const publish = alice.request({ type: 'publish', room: 'r', data: i, key: `k${i}` }, 20_000);
            await until(() => proxy.pairs.size >= 0 && hub.exit === null, 'the server to live');
            await pause(120);
            proxy.filter = chunk => chunk;
            const reply = await publish;
            if (!reply.ok) { // an error that is about the command
                assert.equal(reply.error.code, 'unavailable');
                await until(async () => (await alice.request({ type: 'publish', room: 'r', data: i, key: `k${i}` })).ok, 'the retry');
            }
        }
        await until(() => alice.messages('r').length >= answers.length, () => `all of them: ${alice.messages('r').map(m => m.data)}`);
        assert.deepEqual(alice.messages('r').map(m => m.data), answers.map((_, i) => i));
    });

    test('a failover that loses what was acknowledged', async t => {
        const master = await startRedis(t);
        const between = await startProxy(t, master.port);
        const replica = await startRedis(t, '--replicaof', '127.0.0.1', String(between.port));
        await master.command('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
        const sentinel = await startSentinel(t, master);
        await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'), 'the replica');
        await until(async () => (await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'))[0] === '*', 'the Sentinel');
        await until(async () => (await sentinel.command('INFO', 'sentinel')).includes('slaves=1'), 'the Sentinel to know the replica', 30_000);
        const { it } = await story(t, master, { cluster: { options: {
            sentinel: { master: 'mymaster', nodes: [`127.0.0.1:${sentinel.port}`] },
        } } });
        between.stall = true;
        await it.acked(20);
        await master.kill();
        const counted = await finish(t, it);
        assert.ok(counted.gaps > 0, 'nobody was told');
    });

    test('a node killed while messages are written', async t => {
        const redis = await startRedis(t);
        const { hubs, it } = await story(t, redis);
        await hubs[1].kill();
        await it.acked(20);
        await hubs[1].start();
        const counted = await finish(t, it);
        // The stock Socket.IO clients of that node, one in each room, begin afresh and see so: their place went with it.
        assert.equal(counted.gaps, counted.freshSocketIo);
        assert.ok(counted.freshSocketIo <= 2, `${counted.freshSocketIo} fresh`);
    });

    test('30,000 messages in 100 rooms over three nodes', async t => {
        const redis = await startRedis(t);
        const hubs = await startCluster(t, redis, 3, { rooms: OPEN_ROOMS });
        const members = await Promise.all(hubs.flatMap(hub => [connect(hub), connect(hub)]));
        const rooms = Array.from({ length: 100 }, (_, i) => `room-${i}`);
        for (const member of members)
            await Promise.all(rooms.map(room => member.join(room)));
        const writers = await Promise.all(hubs.map(hub => connect(hub)));
        for (let i = 0; i < 100; i++)
            await Promise.all(writers.flatMap((writer, w) => rooms.map(room => writer.publish(room, `${w}-${i}`))));
        for (const member of members)
            await until(() => member.messages().length >= 30_000, () => `30,000 messages, got ${member.messages().length}`, 30_000);
        for (const room of rooms) {
            const orders = members.map(member => member.messages(room).map(m => m.data));
            for (const order of orders)
                assert.deepEqual(order, orders[0]);
            assert.equal(new Set(orders[0]).size, 300);
            for (const w of [0, 1, 2])
                assert.deepEqual(orders[0].filter(text => text.startsWith(`${w}-`)), Array.from({ length: 100 }, (_, i) => `${w}-${i}`));
        }
    });
});
