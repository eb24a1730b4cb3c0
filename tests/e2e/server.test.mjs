// The life of a server: start, readiness, reload, drain, and the command line; and that the
// native protocol works end to end over WebSocket.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { connect, open, refused } from './lib/client.mjs';
import { SECRET, brokenTokens, mint, tokenFor } from './lib/jwt.mjs';
import { runHub, startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const withAuth = (options = {}, more = {}) => ({
    plugins: { load: [{ 'auth-jwt': { secret: SECRET, algorithms: ['HS256'], ...options } }] }, ...more,
});

test('an empty configuration is enough: rooms, history and ordered delivery work', async t => {
    const hub = await startHub(t);
    const [alice, bob] = [await connect(hub), await connect(hub)];
    assert.equal(alice.welcome.user, null);
    assert.equal(alice.welcome.node, 'n1');
    assert.notEqual(alice.welcome.session, bob.welcome.session);
    assert.ok(alice.welcome.ticket.length >= 22, 'a ticket of 128 bits');
    const joined = await bob.join('lobby');
    assert.equal(joined.members, 1);
    assert.equal((await alice.join('lobby')).members, 2);
    for (let i = 0; i < 90; i++)
        alice.send({ type: 'publish', room: 'lobby', data: { i, exact: 'é' } });
    const published = await alice.publish('lobby', 'last', { event: 'end' });
    await bob.next(m => m.event === 'end');
    const got = bob.messages('lobby');
    assert.deepEqual(got.slice(0, 90).map(m => m.data.i), Array.from({ length: 90 }, (_, i) => i));
    assert.equal(typeof published.ts, 'number');
    const page = await bob.ok({ type: 'history', room: 'lobby', since: joined.cursor, limit: 10 });
    assert.deepEqual(page.messages.map(m => m.data.i), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.equal(page.more, true);
});

test('data arrives byte for byte', async t => {
    const hub = await startHub(t);
    const [alice, bob] = [await connect(hub), await connect(hub)];
    const raw = '{"z":1.10,"a":1e400,"a":-0,"ü":"\\u00fc\\n","n":12345678901234567890}';
    let text;
    bob.socket.on('message', data => { text = data.toString(); });
    await bob.join('exact');
    await alice.join('exact');
    alice.send(`{"type":"publish","room":"exact","data":${raw}}`);
    await bob.nextMessage('exact');
    assert.ok(text.includes(`"data":${raw}`), text);
});

test('who comes back with a cursor gets what was missed, in order, once', async t => {
    const hub = await startHub(t);
    const alice = await connect(hub);
    const bob = await connect(hub);
    const { cursor } = await bob.join('lobby');
    await bob.close();
    await alice.join('lobby');
    for (let i = 0; i < 20; i++)
        await alice.publish('lobby', i);
    const again = await connect(hub);
    const reply = await again.join('lobby', { since: cursor });
    assert.equal(reply.recovered, true);
    await alice.publish('lobby', 20);
    await again.next(m => m.type === 'message' && m.data === 20);
    assert.deepEqual(again.messages('lobby').map(m => m.data), Array.from({ length: 21 }, (_, i) => i));
});

test('a token makes a user, and no broken one does', async t => {
    const hub = await startHub(t, withAuth());
    const alice = await connect(hub, { token: tokenFor('alice') });
    assert.equal(alice.welcome.user, 'alice');
    for (const [fault, token] of Object.entries(brokenTokens())) {
        const error = await refused(hub, 401, { token }).catch(failure => {
            throw new Error(`${fault}: ${failure.message}`);
        });
        assert.match(error.code, /^(unauthorized|token_expired)$/, fault);
        assert.ok(!JSON.stringify(error).includes(token || SECRET), fault);
    }
});

test('a token may come as the first message', async t => {
    const hub = await startHub(t, withAuth());
    const alice = await connect(hub, { welcome: false });
    await alice.ok({ type: 'auth', token: tokenFor('alice') });
    assert.equal((await alice.next(m => m.type === 'welcome')).user, 'alice');
    const mallory = await connect(hub, { welcome: false });
    await mallory.fails({ type: 'auth', token: mint({ sub: 'mallory' }, { key: 'x'.repeat(32) }) },
        'unauthorized');
    assert.equal((await mallory.waitClose()).code, 4001);
});

test('TERM says goodbye to every client and ends with 0', async t => {
    const hub = await startHub(t);
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(hub)));
    await hub.stop();
    for (const client of clients) {
        const { code, bye } = await client.waitClose();
        assert.equal(code, 1001);
        assert.equal(bye?.reconnect, true);
        assert.equal(bye.code, 1001);
    }
});

test('/readyz says 503 while draining, with sessions still taken for the delay', async t => {
    const hub = await startHub(t, { drain: { timeout: '5s', delay: '2s' } });
    hub.signal('SIGTERM');
    await until(async () => (await hub.admin('/readyz')).status === 503, '/readyz to turn 503');
    assert.ok((await open(hub)).client, 'a new session is still taken');
    assert.deepEqual(await hub.waitExit(), { code: 0, signal: null });
});

test('a killed server starts again on the same ports at once', async t => {
    const hub = await startHub(t);
    const alice = await connect(hub);
    await hub.kill();
    await alice.waitClose();
    await hub.start();
    await connect(hub);
});

test('HUP applies a new configuration, and keeps the old one when the new one is wrong', async t => {
    const rooms = match => ({ rooms: [{ match, join: 'anyone', publish: 'members' }] });
    const hub = await startHub(t, rooms('old:*'));
    const alice = await connect(hub);
    await alice.join('old:a');
    hub.hup({ ...rooms('new:*'), nonsense: true });
    await hub.logged(/nonsense/);
    await alice.join('old:b');
    hub.hup(rooms('new:*'));
    await until(async () => (await alice.request({ type: 'join', room: 'new:a' })).ok, 'the new rooms');
    assert.equal((await alice.request({ type: 'join', room: 'old:c' })).ok, false);
});

test('check names file, line and column of every mistake', async t => {
    const hub = await startHub(t);
    const file = join(hub.directory, 'wrong.yaml');
    writeFileSync(file, 'limits:\n  conections: 5\nheartbeat: {interval: soon}\n');
    const { code, stderr } = await runHub(['check', '-c', file]);
    assert.equal(code, 1);
    assert.match(stderr, /wrong\.yaml:2:3: .*conections.*connections/);
    assert.match(stderr, /wrong\.yaml:3:23: /);
    assert.equal((await runHub(['check', '-c', hub.configFile])).code, 0);
});

test('--version and --help answer, an unknown option does not', async () => {
    assert.match((await runHub(['--version'])).stdout, /\d+\.\d+\.\d+/);
    assert.match((await runHub(['--help'])).stdout, /hubbub/);
    assert.notEqual((await runHub(['--no-such-option'])).code, 0);
});
