// What is promised: order, nothing lost, nothing twice, whatever is cut off and when.
// minutes: 6
import assert from 'node:assert/strict';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const rooms = messages => [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages, age: '10m', bytes: '1GB' } }];
const random = bound => Math.floor(Math.random() * bound);
const count = n => Array.from({ length: n }, (_, i) => i);

test('a client cut off at any moment comes back and has everything once, in order', async t => {
    const hub = await startHub(t, { rooms: rooms(10_000) });
    const sender = await connect(hub);
    const TOTAL = 600;
    let sending = true;
    const all = (async () => {
        for (let i = 0; i < TOTAL; i++)
            await sender.publish('r', i);
        sending = false;
    })();
    const got = [];
    let { cursor } = await (await connect(hub)).join('r', {});
    const first = (await (await connect(hub)).ok({ type: 'history', room: 'r', limit: 1000 })).messages;
    got.push(...first.map(m => m.data));
    cursor = first.at(-1)?.cursor ?? cursor;
    for (let cuts = 0; sending || got.length < TOTAL; cuts++) {
        const client = await connect(hub);
        const stop = random(30);
        client.send({ type: 'join', room: 'r', id: 'j', since: cursor });
        // cut off after a few things were received, be it none, or the reply alone
        await until(() => client.received.length > stop || got.length + client.messages('r').length >= TOTAL,
            'something to receive', 2000).catch(() => {});
        client.terminate();
        await client.waitClose();
        const reply = client.received.find(m => m.type === 'reply');
        if (reply)
            assert.equal(reply.recovered, true, `cut ${cuts}`);
        cursor = reply ? reply.cursor : cursor;
        for (const m of client.messages('r')) {
            got.push(m.data);
            cursor = m.cursor;
        }
    }
    await all;
    assert.deepEqual(got, count(TOTAL));
});

test('cut off twice in a row before the first message, nothing is missed', async t => {
    const hub = await startHub(t, { rooms: rooms(100) });
    const sender = await connect(hub);
    let { cursor } = await sender.join('r');
    for (let i = 0; i < 50; i++)
        await sender.publish('r', i);
    for (let i = 0; i < 2; i++) {
        const client = await connect(hub);
        const reply = await client.join('r', { since: cursor });
        cursor = reply.cursor; // whatever came behind it is thrown away
        client.terminate();
        await client.waitClose();
    }
    const last = await connect(hub);
    assert.equal((await last.join('r', { since: cursor })).recovered, true);
    await until(() => last.messages('r').length === 50, 'all of it');
    assert.deepEqual(last.messages('r').map(m => m.data), count(50));
});

test('a replay is at the client\'s pace: more history than its outbox holds', async t => {
    const hub = await startHub(t, { rooms: rooms(2000), limits: { outbox: '64KiB', message_size: '32KiB' } });
    const sender = await connect(hub);
    const { cursor } = await sender.join('r');
    await sender.leave('r');
    const data = 'x'.repeat(10_000);
    for (let i = 0; i < 500; i++)
        await sender.publish('r', { i, data });
    const client = await connect(hub);
    const joined = client.join('r', { since: cursor });
    assert.equal((await joined).recovered, true);
    for (let i = 500; i < 520; i++)
        await sender.publish('r', { i, data });
    await until(() => client.messages('r').length === 520, 'the replay and what came meanwhile', 30_000);
    assert.deepEqual(client.messages('r').map(m => m.data.i), count(520));
});

test('a publish that was on its way when its session died, sent again with its key, is there once', async t => {
    const hub = await startHub(t, { limits: { message_size: '16KiB' },
        plugins: { load: [{ 'auth-jwt': { secret: SECRET } }] } });
    const token = tokenFor('alice');
    for (const i of count(150)) {
        const room = `r${i}`, first = { type: 'publish', room, data: 1, key: `k${i}`, id: 'first' };
        const a = await connect(hub, { token });
        const { cursor } = await a.join(room);
        a.send(first);
        a.send('x'.repeat(20_000)); // closes 1009
        await a.waitClose();
        const b = await connect(hub, { token });
        await Promise.all([b.join(room, { since: a.messages(room).at(-1)?.cursor ?? cursor }), b.ok(first)]);
        await b.publish(room, 2);
        await until(() => b.messages(room).some(m => m.data === 2), 'the last message');
        assert.deepEqual([...a.messages(room), ...b.messages(room)].map(m => m.data), [1, 2]);
        await b.close();
    }
});

test('a restart is told: recovered is false', async t => {
    const hub = await startHub(t, { rooms: rooms(100) });
    const a = await connect(hub);
    const { cursor } = await a.join('r');
    await hub.kill();
    await hub.start();
    const b = await connect(hub);
    assert.equal((await b.join('r', { since: cursor })).recovered, false);
});

/** One client of the crowd: joins and leaves side rooms while it listens to its main ones. */
async function member(hub, index, roomsOf) {
    const client = await connect(hub);
    client.positions = new Map();
    for (const room of roomsOf(index))
        await client.join(room);
    return client;
}

test('300 clients, 30,000 messages in rooms small and large, joins and leaves going on: exact', async t => {
    const hub = await startHub(t, { rooms: rooms(0).map(rule => ({ ...rule, history: { messages: 50_000, age: '10m', bytes: '1GB' } })) });
    const CLIENTS = 300, SMALL = 30, PER_ROOM = { large: 75, small: 250 };
    const roomsOf = index => ['large', `small${index % SMALL}`];
    const clients = await Promise.all(count(CLIENTS).map(i => member(hub, i, roomsOf)));
    const senders = await Promise.all(count(10).map(() => connect(hub)));
    const plan = [];
    for (let s = 0; s < SMALL; s++)
        for (let i = 0; i < PER_ROOM.small; i++)
            plan.push(`small${s}`);
    for (let i = 0; i < PER_ROOM.large; i++)
        plan.splice(random(plan.length), 0, 'large');
    // the rest of the 30,000 goes to rooms that are joined and left all the time
    while (plan.length < 30_000)
        plan.splice(random(plan.length), 0, `side${random(20)}`);
    const churn = { on: true };
    const churning = clients.slice(0, 60).map(async client => {
        while (churn.on) {
            const room = `side${random(20)}`;
            await client.join(room);
            await client.sync();
            await client.leave(room);
        }
    });
    const next = new Map();
    const order = new Map();
    await Promise.all(senders.map(async (sender, s) => {
        for (let i = s; i < plan.length; i += senders.length * 20) {
            const batch = plan.slice(i).filter((_, k) => k % senders.length === 0).slice(0, 20);
            await Promise.all(batch.map(room => {
                const n = next.get(room) ?? 0;
                next.set(room, n + 1);
                return sender.publish(room, n);
            }));
        }
    }));
    churn.on = false;
    await Promise.all(churning);
    const history = await connect(hub);
    for (const room of ['large', ...count(SMALL).map(s => `small${s}`)]) {
        const sent = next.get(room);
        const members = clients.filter((_, i) => roomsOf(i).includes(room));
        await until(() => members.every(c => c.messages(room).length >= sent), `all of ${room}`, 30_000);
        const page = await history.ok({ type: 'history', room, limit: 1000 });
        order.set(room, page.messages.map(m => m.data));
        assert.deepEqual([...order.get(room)].sort((a, b) => a - b), count(sent), `${room}: none lost, none twice`);
        for (const client of members)
            assert.deepEqual(client.messages(room).map(m => m.data), order.get(room), `one order in ${room}`);
    }
});
