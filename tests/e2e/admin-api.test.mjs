// The admin API: lists, orders to sessions, revocations, reload and drain, and who attacks it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { connect, refused } from './lib/client.mjs';
import { fetchHttp } from './lib/http.mjs';
import { mint, SECRET, tokenFor } from './lib/jwt.mjs';
import { connectPoll } from './lib/poll.mjs';
import { startHub } from './lib/server.mjs';
import { connectSse } from './lib/sse.mjs';
import { until } from './lib/until.mjs';

const AUTH = { 'auth-jwt': { secret: SECRET } };
const ROOMS = [
    { match: 'closed:*', join: 'nobody', publish: 'nobody' },
    { match: 'r*', presence: true, history: { messages: 100, age: '5m' } },
    { match: '*', history: { messages: 100, age: '5m' } },
].map(room => ({ join: 'anyone', publish: 'members', ...room }));
const withUsers = (t, more = {}) =>
    startHub(t, { plugins: { load: [AUTH, { presence: { grace: '100ms' } }] }, rooms: ROOMS, ...more });

const get = async (hub, path, status = 200) => {
    const answer = await hub.admin(`/api/v1${path}`);
    assert.equal(answer.status, status, answer.text);
    return answer.json;
};
const change = (method, hub, path, body, headers = {}) =>
    hub.admin(`/api/v1${path}`, { method, body, headers: { 'Content-Type': 'application/json', ...headers } });
const post = (hub, path, body) => change('POST', hub, path, body);
const remove = (hub, path, body) => change('DELETE', hub, path, body);
const user = (hub, name, options = {}) => connect(hub, { token: tokenFor(name), ...options });

async function all(hub, path, limit) {
    const items = [];
    let next = null, pages = 0;
    do {
        const cursor = next === null ? '' : `&cursor=${encodeURIComponent(next)}`;
        const page = await get(hub, `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor}`);
        assert.ok(page.items.length <= limit, `${page.items.length} on a page of ${limit}`);
        items.push(...page.items);
        next = page.next;
    } while (next !== null && ++pages < 1000);
    return items;
}

test('sessions are listed page by page, each once, by their public ids', async t => {
    const hub = await withUsers(t);
    const clients = [];
    for (let i = 0; i < 23; i++)
        clients.push(await user(hub, `u${i % 5}`));
    const want = clients.map(({ welcome }) => welcome.session).sort();
    for (const limit of [1, 7, 23, 100])
        assert.deepEqual((await all(hub, '/sessions', limit)).map(({ id }) => id).sort(), want);
    await clients[3].join('room');
    assert.deepEqual((await all(hub, '/sessions?room=room', 10)).map(({ id }) => id), [clients[3].welcome.session]);
    assert.equal((await all(hub, '/sessions?user=u1', 2)).length, 5);
    assert.equal((await get(hub, '/sessions?transport=sse')).items.length, 0);
});

test('one session is told with its rooms, without its secret', async t => {
    const hub = await withUsers(t);
    const alice = await user(hub, 'alice');
    await alice.join('room');
    const one = await get(hub, `/sessions/${alice.welcome.session}`);
    assert.equal(one.user, 'alice');
    assert.equal(one.transport, 'websocket');
    assert.equal(one.remote, '127.0.0.1');
    assert.deepEqual(one.room_names.sort(), ['@alice', 'room']);
    assert.ok(!JSON.stringify(one).includes(alice.welcome.ticket));
    await get(hub, '/sessions/nobody', 404);
    const lines = (await hub.admin('/api/v1/sessions')).text + hub.stderr;
    assert.ok(!lines.includes(alice.welcome.ticket));
});

test('rooms are listed page by page, each once, whatever comes and goes', async t => {
    const hub = await withUsers(t, { limits: { rooms_per_session: 500 } });
    const alice = await user(hub, 'alice');
    const names = Array.from({ length: 60 }, (_, i) => `x${i}`);
    for (const room of names)
        await alice.join(room);
    const seen = [];
    let next = '';
    do {
        const page = await get(hub, `/rooms?limit=7${next && `&cursor=${next}`}`);
        seen.push(...page.items.map(({ room }) => room));
        await alice.join(`new${seen.length}`);
        ({ next } = page);
    } while (next);
    for (const room of names)
        assert.equal(seen.filter(one => one === room).length, 1, room);
    assert.deepEqual((await all(hub, '/rooms', 1000)).find(({ room }) => room === 'x5'), { room: 'x5', members: 1 });
});

test('a room is told with its members, presence and history', async t => {
    const hub = await withUsers(t);
    const [alice, bob] = [await user(hub, 'alice'), await user(hub, 'bob')];
    const name = 'r/ö ?#%';
    const path = `/rooms/${encodeURIComponent(name)}`;
    await alice.join(name);
    await bob.join(name);
    await alice.publish(name, { n: 1 });
    const { cursor } = await alice.publish(name, { n: 2 });
    const room = await get(hub, path);
    assert.deepEqual([room.room, room.members, room.presence], [name, 2, true]);
    assert.deepEqual(room.items.map(item => item.user).sort(), ['alice', 'bob']);
    const present = await get(hub, `${path}/presence`);
    assert.equal(present.count, 2);
    assert.deepEqual(present.users.map(item => item.user).sort(), ['alice', 'bob']);
    const history = await get(hub, `${path}/history`);
    assert.deepEqual(history.messages.map(({ data }) => data), [{ n: 1 }, { n: 2 }]);
    assert.equal(history.cursor, cursor);
    const [first] = history.messages;
    const rest = await get(hub, `${path}/history?since=${first.cursor}&limit=1`);
    assert.deepEqual([rest.messages[0].data, rest.recovered], [{ n: 2 }, true]);
    await get(hub, `${path}/history?since=nonsense`, 400);
    await get(hub, '/rooms/none', 404);
    await get(hub, '/rooms/none/presence', 404);
    await get(hub, '/rooms/none/history', 404);
    assert.ok(!(await get(hub, '/rooms')).items.some(({ room }) => room === 'none'));
});

test('statistics, plugins and nodes', async t => {
    const hub = await withUsers(t);
    const alice = await user(hub, 'alice');
    await alice.join('room');
    const stats = await get(hub, '/stats?history=60');
    assert.deepEqual([stats.node, stats.state, stats.connections, stats.rooms], ['n1', 'running', 1, 2]);
    assert.equal(stats.metrics.hubbub_connections.websocket, 1);
    assert.ok(stats.history.connections.length >= 1);
    const plugins = (await get(hub, '/plugins')).items;
    const auth = plugins.find(({ name }) => name === 'auth-jwt');
    assert.equal(auth.kind, 'plugin');
    assert.equal(auth.hooks.connect.calls, 1);
    assert.ok(plugins.some(({ name, kind }) => name === 'websocket' && kind === 'transport'));
    const nodes = (await get(hub, '/nodes')).items;
    assert.deepEqual([nodes.length, nodes[0].node, nodes[0].self], [1, 'n1', true]);
});

test('a broadcast reaches every session, whatever its transport and rooms', async t => {
    const hub = await withUsers(t);
    const clients = [await user(hub, 'a'), await user(hub, 'b'),
        await connectSse(hub, { token: tokenFor('c') }), await connectPoll(hub, { token: tokenFor('d') })];
    assert.equal((await post(hub, '/broadcast', { event: 'notice', data: { at: 'noon' } })).status, 200);
    for (const client of clients) {
        const message = await client.next(m => m.type === 'message');
        assert.deepEqual([message.room, message.event, message.data, message.user, message.cursor],
            [null, 'notice', { at: 'noon' }, null, undefined]);
    }
    assert.equal((await post(hub, '/broadcast', { event: '' })).status, 400);
    assert.equal((await post(hub, '/broadcast', { event: 'x', room: 'y' })).status, 400);
});

test('a session and all sessions of a user are disconnected', async t => {
    const hub = await withUsers(t);
    const [one, two, three, other] = [await user(hub, 'alice'), await user(hub, 'alice'), await user(hub, 'alice'),
        await user(hub, 'bob')];
    assert.equal((await remove(hub, `/sessions/${one.welcome.session}`)).status, 200);
    const end = await one.waitClose();
    assert.deepEqual([end.code, end.bye.code, end.bye.reconnect], [4003, 4003, false]);
    assert.equal((await remove(hub, `/sessions/${one.welcome.session}`)).status, 404);
    const sse = await connectSse(hub, { token: tokenFor('alice') });
    assert.deepEqual((await remove(hub, '/users/alice/sessions')).json, { sessions: 3 });
    for (const client of [two, three])
        assert.equal((await client.waitClose()).code, 4003);
    assert.equal((await sse.next(m => m.type === 'bye')).reconnect, false);
    await other.sync();
    assert.deepEqual((await remove(hub, '/users/alice/sessions')).json, { sessions: 0 });
    assert.match(hub.stderr, /admin disconnected user=alice .*sessions=3/);
    await connect(hub, { token: tokenFor('a sessions=9') });
    await remove(hub, '/users/a%20sessions%3D9/sessions');
    await hub.logged(/admin disconnected user="a sessions=9" room= sessions=1\n/);
});

test('sessions and users are put into a room and out of it', async t => {
    const hub = await withUsers(t);
    const [alice, again, bob] = [await user(hub, 'alice'), await user(hub, 'alice'), await user(hub, 'bob')];
    assert.deepEqual((await post(hub, '/rooms/closed:1/members', { user: 'alice' })).json, { sessions: 2 });
    await post(hub, '/rooms/closed:1/members', { session: bob.welcome.session });
    await hub.publish({ room: 'closed:1', data: 1 });
    for (const client of [alice, again, bob]) {
        assert.equal((await client.next(m => m.type === 'joined' && m.room === 'closed:1')).members > 0, true);
        assert.equal((await client.nextMessage('closed:1')).data, 1);
    }
    assert.deepEqual((await remove(hub, '/rooms/closed:1/members', { user: 'alice' })).json, { sessions: 2 });
    assert.equal((await remove(hub, `/rooms/closed:1/members?session=${bob.welcome.session}`)).status, 200);
    await until(async () => (await get(hub, '/sessions?room=closed:1')).items.length === 0, 'nobody to be left');
    await hub.publish({ room: 'closed:1', data: 2 });
    await bob.sync();
    assert.equal(bob.messages('closed:1').length, 1);
    assert.equal((await post(hub, '/rooms/closed:1/members', { session: 'nobody' })).status, 404);
    assert.equal((await post(hub, '/rooms/closed:1/members', {})).status, 400);
    assert.equal((await post(hub, '/rooms/closed:1/members', { session: 'a', user: 'b' })).status, 400);
    assert.equal((await post(hub, '/rooms/%40alice/members', { user: 'bob' })).status, 403);
});

test('a revoked token is refused from now on, and its sessions end', async t => {
    const hub = await withUsers(t);
    const [bad, good] = [tokenFor('alice', { jti: 'bad' }), tokenFor('alice', { jti: 'good' })];
    const [one, two] = [await connect(hub, { token: bad }), await connect(hub, { token: good })];
    assert.deepEqual((await post(hub, '/revocations', { jti: 'bad' })).json, { sessions: 1 });
    const end = await one.waitClose();
    assert.deepEqual([end.code, end.bye.reconnect], [4001, false]);
    assert.equal((await refused(hub, 401, { token: bad })).code, 'unauthorized');
    await two.fails({ type: 'refresh', token: bad }, 'unauthorized');
    await two.sync();
    await connect(hub, { token: good });
});

test('all tokens of a user up to a time are revoked, in seconds or milliseconds', async t => {
    const hub = await withUsers(t);
    const now = Math.floor(Date.now() / 1000);
    const [old, fresh] = [mint({ sub: 'alice', iat: now - 100 }), mint({ sub: 'alice', iat: now + 100 })];
    const [one, other] = [await connect(hub, { token: old }), await connect(hub, { token: mint({ sub: 'bob', iat: now - 100 }) })];
    assert.deepEqual((await post(hub, '/revocations', { user: 'alice', issued_before: now })).json, { sessions: 1 });
    assert.equal((await one.waitClose()).code, 4001);
    await refused(hub, 401, { token: old });
    const two = await connect(hub, { token: fresh });
    assert.deepEqual((await post(hub, '/revocations', { user: 'alice', issued_before: (now + 200) * 1000 })).json, { sessions: 1 });
    assert.equal((await two.waitClose()).code, 4001);
    await refused(hub, 401, { token: fresh });
    await other.sync();
    for (const body of [{}, { jti: 'a', user: 'b' }, { jti: '' }, { user: 'a', issued_before: 'x' }, { jti: 'a', issued_before: 1 }, []])
        assert.equal((await post(hub, '/revocations', body)).status, 400, JSON.stringify(body));
});

test('a reload that fails says why and changes nothing', async t => {
    const hub = await withUsers(t);
    const alice = await user(hub, 'alice');
    hub.configure({ ...hub.config, limts: {} });
    const answer = await post(hub, '/reload', {});
    assert.equal(answer.status, 400);
    assert.match(answer.json.error.message, /hubbub\.yaml:\d+:\d+: .*limts/);
    const { limts, ...fine } = hub.config;
    hub.configure({ ...fine, limits: { message_size: '1KiB' } });
    assert.equal((await post(hub, '/reload', {})).status, 200);
    await hub.logged(/reload the new configuration is in force/);
    alice.send({ type: 'publish', room: 'x', data: 'x'.repeat(2000) });
    assert.equal((await alice.waitClose()).code, 1009);
});

test('drain by the API ends the process in order', async t => {
    const hub = await withUsers(t);
    const alice = await user(hub, 'alice');
    assert.equal((await post(hub, '/drain', {})).status, 200);
    const end = await alice.waitClose();
    assert.deepEqual([end.code, end.bye.reconnect], [1001, true]);
    assert.deepEqual(await hub.waitExit(), { code: 0, signal: null });
});

test('bad pages, paths and bodies are refused with an error', async t => {
    const hub = await startHub(t);
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'limit=-1', 'cursor=x', 'cursor=9.0', 'cursor=0', 'cursor=0.99999999999', 'cursor=-1.2'])
        for (const list of ['/sessions', '/rooms'])
            assert.equal((await hub.admin(`/api/v1${list}?${query}`)).status, 400, query);
    for (const path of ['/rooms/%zz', '/rooms/%', '/rooms/%ff%fe', `/rooms/${'x'.repeat(200)}`, '/rooms/a%00b'])
        assert.equal((await hub.admin(`/api/v1${path}`)).status, 400, path);
    for (const path of ['/rooms//members', '/sessions/', '/rooms/a/b', '/users/a', '//', '/../stats'])
        assert.equal((await hub.admin(`/api/v1${path}`)).status, 404, path);
    const paths = ['/broadcast', '/revocations', '/rooms/r/members', '/publish'];
    const bodies = ['', '[', 'null', '1', '"x"', '[]]', '{"a":1', `${'['.repeat(5000)}`, '{"user":1}', '{"user":"\\u0000"}',
        '{"jti":"\\ud800"}', '{"event":"a","event":"b"}', '{"user":"a","user":"b"}', '{"session":null}', '\xff', '{"issued_before":1e400}'];
    for (const path of paths)
        for (const body of bodies) {
            const { status, json } = await post(hub, path, Buffer.from(body, 'latin1'));
            assert.equal(status, 400, `${path} ${body.slice(0, 20)}`);
            assert.ok(json.error.code && json.error.message);
        }
    const { status, headers } = await hub.admin('/api/v1/sessions/x', { method: 'POST', body: {} });
    assert.equal(status, 405);
    assert.equal(headers.allow, 'GET, DELETE');
});

// A small generator of hostile requests: the server answers each with an error, and lives.
test('random requests are answered, never with 500', async t => {
    const hub = await startHub(t);
    let seed = 7;
    const random = n => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
    const pick = list => list[random(list.length)];
    const words = ['rooms', 'sessions', 'users', 'members', 'publish', 'r', '%2F', '%', '..', '', 'stats', '\u00e9', 'a'.repeat(300)];
    const values = ['0', '-1', '99999999999999999999', '%00', '"', '0.0', '1.1', 'null'];
    for (let i = 0; i < 400; i++) {
        const path = `/api/v1/${Array.from({ length: 1 + random(4) }, () => pick(words)).join('/')}`;
        const query = `?${pick(['limit', 'cursor', 'since', 'user', 'history'])}=${pick(values)}`;
        const answer = await hub.admin(encodeURI(path).replaceAll('%25', '%') + query, {
            method: pick(['GET', 'POST', 'DELETE', 'PUT', 'HEAD', 'OPTIONS', 'PATCH']),
            headers: { 'Content-Type': 'application/json' },
            body: pick([undefined, '{}', '[]', '{"room":"r"}', '{"user":"u"}', `{"data":${'['.repeat(random(200))}`]),
        });
        assert.ok(answer.status < 500 || answer.status === 503, `${path}: ${answer.status}`);
    }
    assert.equal((await fetchHttp(hub.adminUrl('/readyz'))).status, 200);
});
