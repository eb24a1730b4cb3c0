// Stock clients of Socket.IO through conf/haproxy.cfg and conf/nginx.conf as they are shipped, before
// three nodes with one Redis: each client polls at the node that its address leads to.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Agent } from 'node:http';
import { describe, test } from 'node:test';
import { tokenFor } from './lib/jwt.mjs';
import { hasRedis, startCluster, startRedis } from './lib/redis.mjs';
import { startShippedHaproxy, startShippedNginx } from './lib/shipped.mjs';
import { WAYS, connect, join, ok, publish, receives, texts, told } from './lib/sio.mjs';
import { AUTH, OPEN_ROOMS } from './lib/story.mjs';
import { until } from './lib/until.mjs';

const NODES = 3, ADDRESSES = 40; // addresses that are tried until each node has got one
const has = program => spawnSync('which', [program]).status === 0;
const numbers = count => Array.from({ length: count }, (_, i) => i);
const users = (socket, event) => told(socket, event).map(({ userId }) => userId);

/** The client's transport is the one that it will stay with. */
const settled = ({ io }) => until(() => io.engine.transport.name === io.opts.transports.at(-1),
    () => `the upgrade; ${io.engine.transport.name}`);

async function start(t, startProxy) {
    const hubs = await startCluster(t, await startRedis(t), NODES,
        { rooms: OPEN_ROOMS, plugins: [AUTH], trusted_proxies: ['127.0.0.1'], transports: { websocket: {}, socketio: {} },
            drain: { timeout: '1s' } }); // who is between two polls comes back to another node
    for (const hub of hubs)
        await until(async () => (await hub.admin('/api/v1/nodes')).json.items.length === NODES, 'the nodes to know each other');
    return { hubs, target: { base: await startProxy(t, hubs) } };
}

function clientOptions(t, address, options) {
    const agent = new Agent({ keepAlive: true, localAddress: address });
    t.after(() => agent.destroy());
    return { agent, ...options };
}

/** An address for each node: whoever comes from there is led to it, over whatever transport. */
async function addressesOf(t, hubs, target) {
    const found = new Map();
    for (let i = 1; found.size < hubs.length; i++) {
        assert.ok(i <= ADDRESSES, `${i} addresses lead to ${found.size} nodes`);
        const address = `127.0.0.${i}`;
        const socket = await connect(t, target, clientOptions(t, address, { transports: ['polling'] }));
        const node = await nodeOf(hubs, socket);
        socket.disconnect();
        if (!found.has(node))
            found.set(node, address);
    }
    return hubs.map(({ options }) => found.get(options.node));
}

async function nodeOf(hubs, { id }) {
    for (const hub of hubs) {
        const { status, json } = await hub.admin(`/api/v1/sessions/${id}`);
        if (status === 200)
            return json.node ?? hub.options.node;
    }
    throw new Error(`${id} is at no node`);
}

/** Three clients at each node, one for each way. */
async function enterAll(t, hubs, target, addresses, options = {}) {
    const members = [];
    for (const [way, transports] of Object.entries(WAYS))
        for (const [i, address] of addresses.entries()) {
            const user = `${way}, ${hubs[i].options.node}`;
            const socket = await connect(t, target, clientOptions(t, address, { token: tokenFor(user), transports, ...options }));
            await join(socket, 'r');
            members.push({ user, socket, node: i });
        }
    return members;
}

const bytesOf = i => Buffer.from([i, 0, 30, 255]); // has a zero, the separator of packets, and no UTF-8

for (const [name, startProxy] of Object.entries({ haproxy: startShippedHaproxy, nginx: startShippedNginx }))
    describe(`behind ${name}, as shipped`, { skip: !hasRedis || !has(name) ? `no redis-server or ${name}` : false }, () => {
        test('clients of each way at each node talk, with acks and bytes, and see one order', async t => {
            const { hubs, target } = await start(t, startProxy);
            const addresses = await addressesOf(t, hubs, target);
            const members = await enterAll(t, hubs, target, addresses), all = members.map(member => member.user);
            for (const [i, { user, socket, node }] of members.entries()) {
                assert.equal(await nodeOf(hubs, socket), hubs[node].options.node, user);
                await until(() => users(socket, 'user-joined').length >= all.length - i - 1, `${user} to hear who came`);
            }
            // Some are still on their way from polling to WebSocket.
            await Promise.all(members.flatMap(({ user, socket }) => numbers(20).map(i =>
                publish(socket, 'r', { text: `${user}: ${i}`, ...i % 2 && { bytes: bytesOf(i) } }))));
            await Promise.all(members.map(({ socket }) => settled(socket)));
            for (const { user, socket } of members) {
                await receives(socket, 'message', all.length * 20);
                assert.deepEqual(texts(socket), texts(members[0].socket), `the order of ${user}`);
            }
            for (const user of all)
                assert.deepEqual(texts(members[0].socket).filter(text => text.startsWith(`${user}: `)),
                    numbers(20).map(i => `${user}: ${i}`));
            for (const { socket } of members)
                for (const { userId, text, bytes } of told(socket, 'message')) {
                    const i = Number(text.split(': ')[1]);
                    assert.ok(text.startsWith(userId));
                    assert.deepEqual(bytes, i % 2 ? bytesOf(i) : undefined);
                }

            const staying = members.slice(0, 3), leaving = members.slice(3); // over polling; all others
            await Promise.all(leaving.map(({ socket }, i) => i % 2 ? socket.disconnect() : ok(socket, 'leave-room', 'r')));
            for (const { user, socket } of staying)
                await until(() => users(socket, 'user-left').length >= leaving.length, `${user} to hear who left`);
            await publish(staying[0].socket, 'r', { text: 'end' });
            for (const [i, { socket }] of staying.entries()) {
                await until(() => texts(socket).at(-1) === 'end', 'the end');
                assert.deepEqual(users(socket, 'user-joined'), all.slice(i + 1), 'each is told once, in order');
                assert.deepEqual(users(socket, 'user-left').sort(), leaving.map(member => member.user).sort());
                assert.deepEqual(socket.states, ['connect']);
            }
            await hubs[2].stop(); // who comes back from there does not join again
            for (const { socket } of staying.slice(0, 2))
                await until(() => users(socket, 'user-left').at(-1) === staying[2].user, 'those of a drained node to be gone');
        });

        test('clients of a node that dies go on at another, and what they emit meanwhile comes once', async t => {
            const { hubs, target } = await start(t, startProxy);
            const addresses = await addressesOf(t, hubs, target);
            const members = await enterAll(t, hubs, target, addresses, { retries: 20, ackTimeout: 1000 });
            await Promise.all(members.map(({ socket }) => settled(socket)));
            const cut = members.filter(({ node }) => node === 0), whole = members.filter(({ node }) => node !== 0);
            for (const { socket } of cut)
                socket.on('connect', () => socket.emit('join-room', 'r'));
            await hubs[0].kill();
            const acks = [];
            for (const { user, socket } of cut)
                for (const i of numbers(10))
                    socket.emit('message', { roomId: 'r', text: `${user}: ${i}`, key: `${i}` }, (error, answer) => acks.push(error ?? answer));
            await until(() => acks.length === cut.length * 10, () => `the acks, got ${acks.length}; ${cut.map(m => m.socket.states)}`, 30_000);
            assert.deepEqual(acks.filter(({ ok: isOk }) => !isOk), []);
            for (const { user, socket } of cut)
                assert.notEqual(await nodeOf(hubs.slice(1), socket), 'n1', user);
            const order = await until(() => texts(whole[0].socket).length >= acks.length && texts(whole[0].socket), 'all messages');
            assert.equal(new Set(order).size, acks.length);
            await publish(whole[0].socket, 'r', { text: 'end' });
            for (const { socket } of whole) {
                await until(() => texts(socket).at(-1) === 'end', 'the end');
                assert.deepEqual(texts(socket).slice(0, -1), order);
                assert.deepEqual(socket.states, ['connect']);
            }
            for (const { socket } of cut)
                await until(() => texts(socket).at(-1) === 'end', 'the end, at another node');
        });
    });
