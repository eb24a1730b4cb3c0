// Presence against a simple model: sessions of three transports come, set data, leave, and end in
// every way, at random; what members are told and what the list says must be what the model says.
import assert from 'node:assert/strict';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { connectPoll } from './lib/poll.mjs';
import { startHub } from './lib/server.mjs';
import { connectSse } from './lib/sse.mjs';
import { until } from './lib/until.mjs';

const ROOM = 'lobby', USERS = 6, SESSIONS_MAX = 24, STEPS = 150, LOOK_EVERY = 25;

/** A sequence that is the same for the same seed (mulberry32). */
function dice(seed) {
    return sides => {
        seed = (seed + 0x6d2b79f5) | 0;
        let x = Math.imul(seed ^ seed >>> 15, 1 | seed);
        x = x + Math.imul(x ^ x >>> 7, 61 | x) ^ x;
        return ((x ^ x >>> 14) >>> 0) % sides;
    };
}

/** Who is there: a session is in or not; a user is its sessions that are in, and the data given last. */
class Model {
    sessions = new Map(); // session → user, while it is in the room
    data = new Map();     // user → data, while it is present

    enter(session, user, data) {
        this.sessions.set(session, user);
        this.set(user, data);
    }

    set(user, data) {
        if (data !== undefined)
            this.data.set(user, data);
    }

    leave(session) {
        const user = this.sessions.get(session);
        this.sessions.delete(session);
        if (![...this.sessions.values()].includes(user))
            this.data.delete(user);
    }

    list() {
        const counts = new Map();
        for (const user of this.sessions.values())
            counts.set(user, (counts.get(user) ?? 0) + 1);
        return [...counts].map(([user, sessions]) => [user, sessions, this.data.get(user)]).sort();
    }
}

/** What a member believes after all that it was told. */
function watch(client) {
    const view = new Map();
    const see = told => {
        const { event, user, data } = told;
        if (event === 'sync') {
            view.clear();
            told.users.forEach(one => view.set(one.user, one.data));
        } else if (event === 'leave') {
            assert.ok(view.delete(user), `${user} leaves, and was not there`);
        } else {
            assert.equal(view.has(user), event === 'update', `${event} of ${user}`);
            view.set(user, data);
        }
    };
    let seen = 0;
    return () => {
        for (; seen < client.received.length; seen++)
            if (client.received[seen].type === 'presence')
                see(client.received[seen]);
        return view;
    };
}

const OPEN = [connect, connectSse, connectPoll];

/** Ways to be gone. */
const ENDS = [
    (hub, client) => client.leave(ROOM),
    (hub, client) => hub.admin(`/api/v1/sessions/${client.welcome.session}`, { method: 'DELETE' }),
    (hub, client) => client.quit?.() ?? client.close(),
    (hub, client) => client.terminate(),
];

for (const [grace, seed] of [['0s', 1], ['50ms', 2]])
    test(`random sessions, grace ${grace}: told, listed and modelled are the same`, async t => {
        const hub = await startHub(t, {
            transports: { websocket: {}, sse: {}, longpoll: { linger: '200ms' } },
            plugins: { drop_in: [], load: [{ 'auth-jwt': { secret: SECRET } }, { presence: { grace } }] },
            rooms: [{ match: '*', presence: true, history: { messages: 10, age: '5m' } }],
        });
        const roll = dice(seed), model = new Model(), live = [];
        const watcher = await connect(hub, { token: tokenFor('watcher') });
        await watcher.join(ROOM);
        model.enter(watcher, 'watcher');
        await watcher.next(m => m.event === 'sync');
        const look = watch(watcher);
        const list = async () => (await watcher.ok({ type: 'presence', room: ROOM })).users;
        const data = () => roll(2) ? { n: roll(4) } : undefined;

        async function come() {
            const user = `user-${roll(USERS)}`, client = await OPEN[roll(OPEN.length)](hub, { token: tokenFor(user) });
            const mine = data();
            await client.join(ROOM, mine === undefined ? {} : { data: mine });
            model.enter(client, user, mine);
            live.push({ client, user });
        }

        async function go() {
            const [{ client, user }] = live.splice(roll(live.length), 1);
            await ENDS[roll(ENDS.length)](hub, client);
            model.leave(client);
            if (client.end === null) // it left the room only
                client.terminate();
            // who comes back before the server has noticed was never gone, and keeps the data
            if (!live.some(other => other.user === user))
                await until(async () => (await list()).every(one => one.user !== user), `${user} to be gone`);
        }

        async function change() {
            const { client, user } = live[roll(live.length)], mine = { n: roll(4) };
            await client.ok({ type: 'presence', room: ROOM, data: mine });
            model.set(user, mine);
        }

        async function compare() {
            let listed;
            await until(async () => {
                listed = (await list()).map(one => [one.user, one.sessions, one.data]).sort();
                return JSON.stringify(listed) === JSON.stringify(model.list());
            }, () => `${JSON.stringify(model.list())}; listed: ${JSON.stringify(listed)}`);
            await until(() => JSON.stringify([...look()].sort()) === JSON.stringify(listed.map(([user, , mine]) => [user, mine])),
                () => `${JSON.stringify(listed)}; told: ${JSON.stringify([...look()].sort())}`);
        }

        for (let step = 1; step <= STEPS; step++) {
            const way = roll(5);
            if (live.length === 0 || (way < 2 && live.length < SESSIONS_MAX))
                await come();
            else
                await (way < 4 ? go() : change());
            if (step % LOOK_EVERY === 0)
                await compare();
        }
    });
