// Revocations and disconnects reach every node, also one that was cut off, or that starts later.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { hasRedis, startCluster, startProxy, startRedis } from './lib/redis.mjs';
import { startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const ROOMS = [{ match: '*', join: 'anyone', publish: 'members', history: { messages: 100, age: '5m' } }];
const AUTH = { 'auth-jwt': { secret: SECRET } };
const isReady = async hub => (await hub.admin('/readyz')).status === 200;
const ready = async (...hubs) => {
    for (const hub of hubs)
        await until(() => isReady(hub), 'the node to be in touch');
};

/** n nodes, and one more behind a proxy: [proxied, …nodes]. */
async function start(t, n, options = {}) {
    const redis = await startRedis(t), proxy = await startProxy(t, redis.port);
    const hubs = await startCluster(t, redis, n + 1, { rooms: ROOMS, plugins: [AUTH], urls: [proxy.url], options });
    await ready(...hubs);
    return { redis, proxy, away: hubs[0], hubs: hubs.slice(1) };
}

/** One more node, with another's settings. */
const startAnother = (t, like) => startHub(t, { rooms: ROOMS, plugins: like.config.plugins }, { node: 'later' });
const revoke = async (hub, body) =>
    assert.equal((await hub.admin('/api/v1/revocations', { method: 'POST', body })).status, 200);
const kick = async (hub, user) => assert.equal((await hub.admin(`/api/v1/users/${user}/sessions`, {
    method: 'DELETE', headers: { 'Content-Type': 'application/json' },
})).status, 200);
const status = async (hub, token) =>
    (await hub.http('/hub/poll?room=r', { headers: { Authorization: `Bearer ${token}` } })).status;
const refuses = (hub, token) => until(async () => await status(hub, token) === 401, 'the token to be refused');
const cutOff = proxy => {
    proxy.refuse = true;
    proxy.cut();
};
const soon = () => Math.floor(Date.now() / 1000) + 30;

describe('revocations for all nodes', { skip: !hasRedis && 'no redis-server' }, () => {
    test('a node that was cut off meanwhile learns of it when it is back', async t => {
        const { proxy, away, hubs: [hub] } = await start(t, 1);
        const token = tokenFor('alice', { jti: 'j1' }), other = tokenFor('bob', { iat: Math.floor(Date.now() / 1000) - 10 });
        const alice = await connect(away, { token }), bob = await connect(away, { token: other });
        for (const client of [alice, bob])
            await client.sync();
        cutOff(proxy);
        await revoke(hub, { jti: 'j1' });
        await revoke(hub, { user: 'bob', until: soon() });
        await until(async () => !await isReady(away), 'Redis to be missed');
        proxy.refuse = false;
        for (const client of [alice, bob])
            assert.equal((await client.waitClose()).code, 4001);
        for (const revoked of [token, other])
            assert.equal(await status(away, revoked), 401);
        assert.equal(await status(away, tokenFor('carol')), 200);
    });

    test('only the connection that listens was cut', async t => {
        const { proxy, away, hubs: [hub] } = await start(t, 1);
        const alice = await connect(away, { token: tokenFor('alice', { jti: 'j1' }) });
        await alice.sync();
        const listens = new Set();
        proxy.filter = (chunk, pair) => {
            if (chunk.includes('message') && chunk.includes('test:c:00000000'))
                listens.add(pair);
            return chunk;
        };
        await until(() => listens.size > 0, 'another node to be heard');
        proxy.refuse = true;
        for (const { client } of listens)
            client.destroy();
        await until(async () => !await isReady(away), 'it to be missed');
        await revoke(hub, { jti: 'j1' });
        await alice.sync();
        proxy.refuse = false;
        assert.equal((await alice.waitClose()).code, 4001);
    });

    test('a push that never came is found by its count', async t => {
        const { proxy, away, hubs: [hub] } = await start(t, 1);
        const token = tokenFor('alice', { jti: 'j1' });
        const alice = await connect(away, { token });
        let dropped = 0;
        proxy.filter = chunk => {
            const isOne = chunk.includes('test:x:new') && chunk.includes('message');
            dropped += isOne;
            return isOne ? null : chunk;
        };
        await revoke(hub, { jti: 'j1' });
        assert.equal((await alice.waitClose()).code, 4001);
        assert.equal(dropped, 1);
    });

    test('a node that starts later refuses the token', async t => {
        const { away, hubs: [hub] } = await start(t, 1);
        await revoke(hub, { jti: 'j1' });
        await away.kill();
        await hub.kill();
        const later = await startAnother(t, hub);
        await refuses(later, tokenFor('alice', { jti: 'j1' }));
        assert.equal(await status(later, tokenFor('alice', { jti: 'j2' })), 200);
    });

    for (const [what, lose] of [
        ['restarted without its memory', async redis => {
            await redis.kill();
            await redis.start();
        }],
        ['emptied', redis => redis.command('FLUSHALL')]])
        test(`a Redis that was ${what} is told again, for a node that starts later`, async t => {
            const { redis, away, hubs: [hub] } = await start(t, 1);
            await revoke(hub, { jti: 'j1' });
            await revoke(hub, { user: 'bob', issued_before: soon() });
            await refuses(away, tokenFor('alice', { jti: 'j1' }));
            await refuses(away, tokenFor('bob'));
            await lose(redis);
            await until(async () => await redis.command('ZCARD', 'test:x:kept') === ':2', 'both to be told again');
            const later = await startAnother(t, hub);
            await refuses(later, tokenFor('alice', { jti: 'j1' }));
            await refuses(later, tokenFor('bob'));
        });

    for (const [how, journal] of [['waits in the journal', '60s'], ['outlasts the journal', '100ms']])
        test(`what is revoked while Redis is away ${how}, and reaches the others`, async t => {
            const { redis, away, hubs: [hub] } = await start(t, 1, { journal: { time: journal } });
            const token = tokenFor('alice', { jti: 'j1' });
            const here = await connect(hub, { token }), there = await connect(away, { token });
            await redis.kill();
            await until(async () => !await isReady(hub), 'Redis to be missed');
            await revoke(hub, { jti: 'j1' });
            assert.equal((await here.waitClose()).code, 4001);
            if (journal === '100ms')
                await hub.logged(/is not kept/);
            await redis.start();
            assert.equal((await there.waitClose()).code, 4001);
            assert.equal(await status(away, token), 401);
        });

    test('the same one from two nodes is kept once, what is over goes', async t => {
        const { redis, away, hubs: [hub] } = await start(t, 1);
        await revoke(hub, { jti: 'j1' });
        await revoke(away, { jti: 'j1' });
        await revoke(hub, { jti: 'short', until: Date.now() + 300 });
        await until(async () => {
            await revoke(away, { jti: 'j2' });
            return await redis.command('ZCARD', 'test:x:kept') === ':2';
        }, 'what is over to be gone');
    });

    test('no more than 100,000 are kept, whatever they hold', async t => {
        const { redis, away, hubs: [hub] } = await start(t, 1);
        const fill = 'for i = 1, 100000 do redis.call("ZADD", "test:x:kept", 3e12 + i, "\\2junk" .. i) end';
        await redis.command('EVAL', fill, '0');
        await revoke(hub, { jti: 'j1' });
        await hub.logged(/more than 100000/);
        assert.equal(await redis.command('ZCARD', 'test:x:kept'), ':100000');
        assert.equal(await redis.command('ZSCORE', 'test:x:kept', '\x02junk1'), '$-1');
        await away.kill();
        await refuses(await startAnother(t, hub), tokenFor('alice', { jti: 'j1' }));
    });
});

describe('disconnects for all nodes', { skip: !hasRedis && 'no redis-server' }, () => {
    test('a node that was cut off carries it out when it is back, on who was there before the order', async t => {
        const { proxy, away, hubs: [hub] } = await start(t, 1);
        const before = await connect(away, { token: tokenFor('alice') });
        const marker = tokenFor('bob', { jti: 'marker' });
        cutOff(proxy);
        await until(async () => !await isReady(away), 'Redis to be missed');
        await kick(hub, 'alice');
        await revoke(hub, { jti: 'marker', until: soon() }); // is heard behind the order
        const after = await connect(away, { token: tokenFor('alice') }), last = await connect(away, { token: marker });
        proxy.refuse = false;
        assert.equal((await before.waitClose()).code, 4003);
        assert.equal((await last.waitClose()).code, 4001);
        await after.sync();
        assert.equal(after.end, null);
    });
});
