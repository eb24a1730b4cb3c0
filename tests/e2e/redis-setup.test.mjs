// Ways to set Redis up: logins, sockets, rights, replicas, Sentinels; and what its settings may become.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connect } from './lib/client.mjs';
import { enter } from './lib/engine.mjs';
import { hasRedis, startCluster, startRedis, startSentinel } from './lib/redis.mjs';
import { root } from './lib/server.mjs';
import { until } from './lib/until.mjs';

/** A message of one node reaches the other, and stands in the history. */
async function works([a, b]) {
    const alice = await connect(a), bob = await connect(b);
    await alice.join('r');
    await bob.join('r');
    await alice.publish('r', 'hi');
    assert.equal((await bob.nextMessage('r')).data, 'hi');
    assert.deepEqual((await bob.ok({ type: 'history', room: 'r' })).messages.map(m => m.data), ['hi']);
    return { alice, bob };
}

describe('logins', { skip: !hasRedis && 'no redis-server' }, () => {
    test('user, password and database come from the URL', async t => {
        const redis = await startRedis(t);
        await redis.command('ACL', 'SETUSER', 'app', 'on', '>p@ss/w', '~*', '&*', '+@all');
        const url = `redis://app:p%40ss%2Fw@127.0.0.1:${redis.port}/3`;
        await works(await startCluster(t, redis, 2, { urls: [url, url] }));
        assert.match(await redis.command('INFO', 'keyspace'), /db3:keys=/);
        assert.doesNotMatch(await redis.command('INFO', 'keyspace'), /db0:/);
    });

    test('a password without a user is that of the default user', async t => {
        const redis = await startRedis(t);
        const url = `redis://:secret@127.0.0.1:${redis.port}`;
        await redis.command('CONFIG', 'SET', 'requirepass', 'secret');
        await works(await startCluster(t, redis, 2, { urls: [url, url] }));
    });

    test('a Unix socket serves as a host does', async t => {
        const directory = mkdtempSync(join(tmpdir(), 'hubbub-socket-'));
        t.after(() => rmSync(directory, { recursive: true, force: true }));
        const redis = await startRedis(t, '--unixsocket', join(directory, 'redis.sock'));
        const url = `unix://${join(directory, 'redis.sock')}?db=2`;
        await works(await startCluster(t, redis, 2, { urls: [url, url] }));
        assert.match(await redis.command('INFO', 'keyspace'), /db2:keys=/);
    });

    test('the rights in the README are enough for rooms, presence, keys and orders of the admin API', async t => {
        const redis = await startRedis(t);
        const readme = readFileSync(join(root, 'plugins/redis/README.md'), 'utf8');
        const [, rules] = /^user hubbub ((?:.+\n)+)```/m.exec(readme);
        assert.equal(await redis.command('ACL', 'SETUSER', 'hubbub', ...rules.split(/\s+/).filter(Boolean)), '+OK');
        await redis.command('ACL', 'LOG', 'RESET');
        const url = `redis://hubbub:secret@127.0.0.1:${redis.port}`;
        const hubs = await startCluster(t, redis, 2, {
            urls: [url, url], options: { prefix: 'myapp', lease: '1s' }, plugins: [{ presence: {} }],
            transports: { websocket: {}, socketio: {} },
            rooms: [{ match: 'plain', join: 'anyone', publish: 'members' }, { match: '*', join: 'anyone',
                publish: 'members', presence: true, history: { messages: 5, age: '1h' } }],
        });
        const { alice, bob } = await works(hubs);
        const key = { room: 'r', data: 'kept', key: 'k' };
        assert.equal((await hubs[0].publish(key)).json.cursor, (await hubs[1].publish(key)).json.cursor);
        for (let i = 0; i < 10; i++)
            await alice.publish('r', i);
        await alice.join('plain');
        await alice.publish('plain', 'no history');
        await alice.nextMessage('plain');
        await hubs[1].admin('/api/v1/broadcast', { method: 'POST', body: { event: 'all', data: 1 } });
        await alice.next(m => m.event === 'all');
        assert.equal((await hubs[0].admin('/api/v1/rooms/r')).status, 200);
        const cut = await enter(hubs[0]);
        cut.connection.close();
        await until(async () => await redis.command('EXISTS', `myapp:m:socketio:${cut.pid}`) === ':1', 'a note');
        const back = await enter(hubs[1], { pid: cut.pid });
        assert.equal(back.pid, cut.pid);
        await bob.leave('r');
        await hubs[1].kill(); // the other removes what it held
        await until(async () => (await hubs[0].admin('/api/v1/nodes')).json.items.length === 1, 'it to be gone');
        assert.equal(await redis.command('ACL', 'LOG'), '*0');
    });
});

describe('replicas', { skip: !hasRedis && 'no redis-server' }, () => {
    const follow = async (t, master) => {
        const replica = await startRedis(t, '--replicaof', `127.0.0.1 ${master.port}`);
        await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'), 'the replica');
        return replica;
    };

    test('wait-replica: without the replica a publish is unavailable, to be retried with its key', async t => {
        const redis = await startRedis(t);
        const replica = await follow(t, redis);
        const hubs = await startCluster(t, redis, 2, { options: { durability: 'wait-replica', replica_wait: '200ms' } });
        const { alice, bob } = await works(hubs);
        replica.signal('SIGSTOP');
        const again = { type: 'publish', room: 'r', data: 'again', key: 'k' };
        const { error } = await alice.request(again);
        assert.equal(error.code, 'unavailable');
        assert.equal(error.retry, 'same key');
        replica.signal('SIGCONT');
        await until(async () => (await alice.request(again)).ok, 'it to be confirmed');
        await bob.next(m => m.data === 'again');
        assert.deepEqual((await bob.ok({ type: 'history', room: 'r' })).messages.map(m => m.data), ['hi', 'again']);
    });

    test('of several Sentinels one that answers is enough', async t => {
        const redis = await startRedis(t);
        const gone = await startSentinel(t, redis), here = await startSentinel(t, redis);
        await gone.kill();
        await works(await startCluster(t, redis, 2, { urls: ['redis://127.0.0.1:1', 'redis://127.0.0.1:1'], options: {
            sentinel: { master: 'mymaster', nodes: [gone, here].map(({ port }) => `127.0.0.1:${port}`) },
        } }));
    });
});

describe('reload', { skip: !hasRedis && 'no redis-server' }, () => {
    for (const [key, value] of [['prefix', 'other'], ['url', 'redis://127.0.0.1:1']])
        test(`another ${key} takes a restart, and the old one stays`, async t => {
            const redis = await startRedis(t);
            const hubs = await startCluster(t, redis, 2);
            const config = structuredClone(hubs[0].config);
            config.plugins.load.at(-1).redis[key] = value;
            const since = hubs[0].stderr.length;
            hubs[0].hup(config);
            await hubs[0].logged(/restart/, { since });
            await works(hubs);
        });
});
