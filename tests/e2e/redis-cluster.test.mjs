// What is ordered on one node happens on all; requests find their session's node.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect, refused } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { hasRedis, startCluster, startRedis } from './lib/redis.mjs';
import { until } from './lib/until.mjs';

const ROOMS = [{ match: '*', join: 'anyone', publish: 'members', history: { messages: 100, age: '5m' } }];
const start = async (t, n) => {
    const hubs = await startCluster(t, await startRedis(t), n, { rooms: ROOMS, plugins: [{ 'auth-jwt': { secret: SECRET } }] });
    for (const hub of hubs)
        await until(async () => (await hub.admin('/api/v1/nodes')).json.items.length === n, 'the nodes to know each other');
    return hubs;
};
const as = (hub, user) => connect(hub, { token: tokenFor(user) });

describe('actions over nodes', { skip: !hasRedis && 'no redis-server' }, () => {
    test('each node lists all of them', async t => {
        const hubs = await start(t, 3);
        const { items } = (await hubs[1].admin('/api/v1/nodes')).json;
        assert.deepEqual(items.map(({ node }) => node).toSorted(), ['n1', 'n2', 'n3']);
        assert.equal(items.find(({ self }) => self).node, 'n2');
        await hubs[2].kill();
        await until(async () => (await hubs[1].admin('/api/v1/nodes')).json.items.length === 2, 'it to be gone');
    });

    test('a user is disconnected wherever it is', async t => {
        const [a, b] = await start(t, 2);
        const tabs = [await as(a, 'alice'), await as(b, 'alice')], bob = await as(b, 'bob');
        assert.equal((await a.admin('/api/v1/users/alice/sessions', { method: 'DELETE', headers: { 'Content-Type': 'application/json' } })).status, 200);
        for (const tab of tabs) {
            const { code, bye } = await tab.waitClose();
            assert.equal(code, 4003);
            assert.equal(bye.reconnect, false);
        }
        await bob.sync();
        assert.equal((await a.admin(`/api/v1/sessions/${bob.welcome.session}`, { method: 'DELETE', headers: { 'Content-Type': 'application/json' } })).status, 200);
        assert.equal((await bob.waitClose()).code, 4003);
    });

    test('a token revoked on one node is refused on all', async t => {
        const [a, b] = await start(t, 2);
        const token = tokenFor('alice', { jti: 'j1' });
        const alice = await connect(b, { token });
        await a.admin('/api/v1/revocations', { method: 'POST', body: { jti: 'j1' } });
        assert.equal((await alice.waitClose()).code, 4001);
        await refused(a, 401, { token });
        await refused(b, 401, { token });
    });

    test('a message to a user reaches all of its sessions, a broadcast everybody, once', async t => {
        const [a, b] = await start(t, 2);
        const tabs = [await as(a, 'alice'), await as(b, 'alice')];
        for (const tab of tabs)
            await tab.next(m => m.type === 'joined');
        await a.publish({ user: 'alice', data: 'hi' });
        await b.admin('/api/v1/broadcast', { method: 'POST', body: { event: 'all', data: 1 } });
        for (const tab of tabs) {
            assert.equal((await tab.next(m => m.data === 'hi')).room, '@alice');
            await tab.next(m => m.event === 'all');
            await tab.sync();
            assert.equal(tab.messages().length, 2);
        }
    });

    test('ops sent to another node are answered from the session\'s', async t => {
        const [a, b] = await start(t, 2);
        const Authorization = `Bearer ${tokenFor('alice')}`;
        const opened = (await a.http('/hub/poll?room=r', { headers: { Authorization } })).json;
        const send = (hub, body, headers = { Authorization }, method = 'POST') =>
            hub.http('/hub/send', { method, headers: { 'Hub-Ticket': opened.ticket, ...headers }, body });
        const answer = await send(b, [{ type: 'publish', id: 1, room: 'r', data: 'over there' }, { type: 'ping', id: 2 }]);
        assert.equal(answer.status, 200, answer.text);
        assert.deepEqual(answer.json.map(({ id, ok }) => [id, ok]), [[1, true], [2, true]]);
        const poll = await a.http(`/hub/poll?ticket=${opened.ticket}&cursor=${opened.cursor}`, { headers: { Authorization } });
        assert.equal(poll.json.messages.at(-1).data, 'over there');
        assert.equal((await send(b, [{ type: 'ping' }], { Authorization: `Bearer ${tokenFor('bob')}` })).status, 403);
        const moved = await b.http(`/hub/poll?ticket=${opened.ticket}&cursor=${opened.cursor}&room=r`, { headers: { Authorization } });
        const { ticket, cursor, messages } = moved.json; // a session of its own, recovered by its cursor
        assert.equal(messages.find(m => m.type === 'joined' && m.room === 'r').recovered, true);
        const next = await b.http(`/hub/poll?ticket=${ticket}&cursor=${cursor}`, { headers: { Authorization } });
        assert.equal([...messages, ...next.json.messages].find(m => m.room === 'r' && m.type === 'message').data, 'over there');
        assert.equal((await send(b, undefined, { Authorization }, 'DELETE')).status, 204);
        assert.equal((await send(b, [{ type: 'ping', id: 1 }])).status, 404);
        const lost = await a.http('/hub/poll?room=r', { headers: { Authorization } });
        await a.kill();
        const late = await b.http('/hub/send', { method: 'POST', headers: { Authorization, 'Hub-Ticket': lost.json.ticket }, body: [{ type: 'ping', id: 1 }] });
        assert.ok([503, 404].includes(late.status), late.text);
    });
});
