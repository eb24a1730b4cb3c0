// conf/haproxy.cfg and conf/nginx.conf as they are shipped, before three nodes: any node takes what comes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { connect } from './lib/client.mjs';
import { tokenFor } from './lib/jwt.mjs';
import { queryOf } from './lib/ops.mjs';
import { connectPoll } from './lib/poll.mjs';
import { hasRedis, startCluster, startRedis } from './lib/redis.mjs';
import { startShippedHaproxy, startShippedNginx } from './lib/shipped.mjs';
import { connectSse } from './lib/sse.mjs';
import { AUTH, OPEN_ROOMS } from './lib/story.mjs';
import { until } from './lib/until.mjs';

const numbers = n => Array.from({ length: n }, (_, i) => i);
const has = program => spawnSync('which', [program]).status === 0;
const data = client => client.messages('r').map(m => m.data);

async function start(t, startProxy) {
    const hubs = await startCluster(t, await startRedis(t), 3, {
        rooms: OPEN_ROOMS, plugins: [AUTH], trusted_proxies: ['127.0.0.1'], transports: { websocket: {}, sse: {}, longpoll: {} },
    });
    for (const hub of hubs)
        await until(async () => (await hub.admin('/api/v1/nodes')).json.items.length === 3, 'the nodes to know each other');
    return { hubs, base: await startProxy(t, hubs) };
}

for (const [name, startProxy] of Object.entries({ haproxy: startShippedHaproxy, nginx: startShippedNginx }))
    describe(`behind ${name}, as shipped`, { skip: !hasRedis || !has(name) ? `no redis-server or ${name}` : false }, () => {
        test('sockets are spread over the nodes, and all transports hear one room', async t => {
            const { hubs, base } = await start(t, startProxy);
            const target = { base, clients: hubs[0].clients, url: path => base.replace('http', 'ws') + path };
            const sockets = await Promise.all(numbers(6).map(() => connect(target)));
            assert.ok(new Set(sockets.map(({ welcome }) => welcome.node)).size > 1);
            await Promise.all(sockets.map(socket => socket.join('r')));
            const sse = await connectSse(target, { rooms: ['r'], token: tokenFor('alice') });
            const poll = await connectPoll(target, { rooms: ['r'], token: tokenFor('bob') });
            for (const i of numbers(6)) // round-robin: most of these land on a node that has no such session
                for (const [who, client] of Object.entries({ sse, poll, socket: sockets[i] }))
                    await client.publish('r', `${who} ${i}`);
            for (const client of [...sockets, sse, poll])
                await until(() => data(client).length >= 18, () => `18 messages, got ${data(client)}`);
            for (const client of [...sockets, sse, poll])
                assert.deepEqual(data(client), data(sockets[0]));
            assert.equal(new Set(data(sse)).size, 18);
        });

        test('a poll whose node has died goes on at another, by its rooms and cursor', async t => {
            const { hubs, base } = await start(t, startProxy);
            const poll = await connectPoll({ base }, { rooms: ['r'], run: false });
            const { node } = poll.welcome, left = hubs.filter(hub => hub.options.node !== node);
            await hubs.find(hub => hub.options.node === node).kill();
            for (const i of numbers(3))
                assert.equal((await left[0].publish({ room: 'r', data: i })).status, 200);
            const answer = await until(async () => {
                const { status, json } = await poll.ask(queryOf({ rooms: ['r'], cursor: poll.cursor, ticket: poll.ticket }));
                return status === 200 && json;
            }, 'a node to take it');
            assert.ok(answer.ticket !== poll.ticket);
            poll.accept(answer);
            assert.equal((await poll.next(m => m.type === 'joined' && m.recovered)).room, 'r');
            poll.run();
            await until(() => data(poll).length >= 3, () => `what it missed, got ${data(poll)}`);
            assert.deepEqual(data(poll), [0, 1, 2]);
            await poll.publish('r', 'from the new one');
            await until(() => data(poll).length >= 4, 'its own');
            poll.terminate();
        });
    });
