// Engine.IO 4, protocol level: the 24 cases of the public suite in our own words, and what else the
// reference does, against an endpoint that sends every message back.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { describe } from 'node:test';
import { engineCases, refusal, upgrade } from './lib/engine-cases.mjs';
import { engineOf } from './lib/engine.mjs';
import { hubForFile, shipped } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const hub = hubForFile(readFileSync(shipped('tests/conformance/engineio.yaml'), 'utf8'));
const engine = engineOf(hub, '/engine.io/');

engineCases(engine);

describe('message', () => {
    test('polling: one text packet', async () => {
        const { sid } = await engine.open();
        const posted = await engine.post(sid, '4hello');
        assert.deepEqual([posted.status, posted.headers['content-type'], posted.text], [200, 'text/html', 'ok']);
        assert.equal((await engine.poll(sid)).text, '4hello');
    });
    test('polling: several text packets', async () => {
        const { sid } = await engine.open();
        await engine.post(sid, '4test1\x1e4test2\x1e4test3');
        assert.equal((await engine.poll(sid)).text, '4test1\x1e4test2\x1e4test3');
    });
    test('polling: text and binary packets', async () => {
        const { sid } = await engine.open();
        await engine.post(sid, '4hello\x1ebAQIDBA==');
        assert.equal((await engine.poll(sid)).text, '4hello\x1ebAQIDBA==');
    });
    test('polling: an invalid packet closes the session', async () => {
        for (const body of ['abc', '', '4a\x1e', Buffer.from([0x34, 0xff])]) {
            const { sid } = await engine.open();
            assert.equal((await engine.post(sid, body)).status, 400);
            assert.equal((await engine.poll(sid)).status, 400);
        }
    });
    test('polling: a second poll closes the session', async () => {
        const { sid } = await engine.open();
        const first = engine.poll(sid);
        let second;
        do // until the first has arrived before it
            second = await Promise.race([engine.poll(sid), first.then(() => null)]);
        while (second && second.status !== 400);
        const polled = await first;
        assert.ok(polled.text === '1' && polled.status === 200 || second === null);
        assert.equal((await engine.poll(sid)).status, 400);
    });
    test('websocket: a text packet', async () => {
        const socket = engine.socket();
        await socket.next();
        socket.send('4hello');
        assert.equal(await socket.next(), '4hello');
        socket.close();
    });
    test('websocket: a binary packet', async () => {
        const socket = engine.socket();
        await socket.next();
        socket.send(Uint8Array.from([1, 2, 3, 4]));
        assert.deepEqual([...await socket.next()], [1, 2, 3, 4]);
        socket.close();
    });
    test('websocket: bytes as base64, from clients without binary frames', async () => {
        const socket = engine.socket();
        await socket.next();
        socket.send('bAQIDBA==');
        assert.deepEqual([...await socket.next()], [1, 2, 3, 4]);
        socket.close();
    });
    test('polling: what is no base64 closes the session', async () => {
        const { sid } = await engine.open();
        await engine.post(sid, 'b!!!');
        assert.equal((await engine.poll(sid)).status, 400);
    });
    test('websocket: an invalid packet closes the session', async () => {
        for (const packet of ['abc', '', '7', '2', '2probe', 'b!!!']) {
            const socket = engine.socket();
            await socket.next();
            socket.send(packet);
            assert.equal((await within(socket.closed, `the end after "${packet}"`)).code, 1005);
        }
    });
});

describe('more', () => {
    test('both forms of the path are one', async () => {
        const { text } = await hub.http('/engine.io?EIO=4&transport=polling');
        assert.equal((await engine.poll(JSON.parse(text.slice(1)).sid)).text, '2');
    });
    test('who is silent and does not poll has no session any more, and nothing is kept for it', async () => {
        const { sid } = await engine.open();
        await until(async () => (await engine.http({ sid }, { method: 'PATCH' })).json.code === 1, 'the end');
        const answer = await engine.poll(sid);
        assert.deepEqual([answer.status, answer.text], [400, '{"code":1,"message":"Session ID unknown"}']);
    });
    test('who polls when the pong is due gets a close', async () => {
        const { sid } = await engine.open();
        assert.equal((await engine.poll(sid)).text, '2');
        assert.equal((await engine.poll(sid)).text, '1');
    });
    test('an empty sid is none', async () => {
        assert.match((await engine.http({ sid: '' })).text, /^0/);
    });
    test('another method, or another version, in a session is refused and harms nothing', async () => {
        const { sid } = await engine.open();
        for (const method of ['PUT', 'DELETE', 'PATCH'])
            assert.equal((await engine.http({ sid }, { method })).status, 400);
        for (const EIO of ['3', undefined])
            assert.equal((await engine.http({ sid, EIO })).text, '{"code":3,"message":"Bad request"}');
        assert.equal((await engine.http({ sid, transport: 'websocket' })).text, '{"code":3,"message":"Bad request"}');
        assert.equal((await engine.poll(sid)).text, '2');
    });
    test('an unknown session', async () => {
        const answer = await engine.poll('no-such-session');
        assert.equal(answer.status, 400);
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.equal(answer.text, '{"code":1,"message":"Session ID unknown"}');
        const { status, text } = await refusal(engine.socket({ sid: 'no-such-session' }));
        assert.deepEqual([status, text], [400, 'Session ID unknown']);
    });
    test('a WebSocket transport without an upgrade', async () => {
        assert.equal((await engine.http({ transport: 'websocket' })).text, '{"code":3,"message":"Bad request"}');
    });
    test('CORS headers are on every answer, errors included', async () => {
        const headers = { Origin: 'https://app.example.com' };
        const { sid } = await engine.open();
        const answers = [await engine.http({}, { headers }), await engine.http({ EIO: '3' }, { headers }),
            await engine.http({ sid: 'none' }, { headers }), await engine.post(sid, '3', headers),
            await engine.poll(sid, headers)];
        for (const answer of answers)
            assert.equal(answer.headers['access-control-allow-origin'] !== undefined, true);
        const preflight = await engine.http({}, { method: 'OPTIONS', headers: { ...headers,
            'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-app' } });
        assert.equal(preflight.status, 204);
        assert.match(preflight.headers['access-control-allow-methods'], /POST/);
        assert.equal(preflight.headers['access-control-allow-headers'], 'x-app'); // the client's extraHeaders
    });
    test('a POST past max_payload is refused and the session stays', async () => {
        const { sid } = await engine.open();
        assert.equal((await engine.post(sid, '4' + 'x'.repeat(1_000_000))).status, 413);
        assert.equal((await engine.post(sid, '4' + 'x'.repeat(999_990))).status, 200);
        const packets = (await engine.poll(sid)).text.split('\x1e').filter(packet => packet !== '2'); // a ping may be due
        assert.deepEqual(packets.map(packet => packet.length), [999_991]);
    });
    test('a WebSocket message past max_payload closes with 1009', async () => {
        const socket = engine.socket();
        await socket.next();
        socket.send('4' + 'x'.repeat(1_000_000));
        assert.equal((await within(socket.closed, 'the end')).code, 1009);
    });
    test('octets in a POST close the session', async () => {
        const { sid } = await engine.open();
        const answer = await engine.post(sid, '4a', { 'Content-Type': 'application/octet-stream' });
        assert.equal(answer.status, 400);
        assert.equal((await engine.poll(sid)).status, 400);
    });
    test('what waits when the upgrade completes comes over the WebSocket, in order', async () => {
        const { sid } = await engine.open();
        const socket = engine.socket({ sid });
        await socket.opened;
        socket.send('2probe');
        assert.equal(await socket.next(), '3probe');
        await engine.post(sid, '4one\x1ebAQID\x1e4two');
        socket.send('5');
        socket.send('4three');
        assert.equal(await socket.nextPacket(), '4one');
        assert.deepEqual([...await socket.nextPacket()], [1, 2, 3]);
        assert.equal(await socket.nextPacket(), '4two');
        assert.equal(await socket.nextPacket(), '4three');
        socket.close();
    });
    test('a probe that says something else is closed, and polling goes on', async () => {
        const { sid } = await engine.open();
        const socket = engine.socket({ sid });
        await socket.opened;
        socket.send('4hello');
        await within(socket.closed, 'the end of the probe');
        await engine.post(sid, '4hello');
        assert.equal((await engine.poll(sid)).text, '4hello');
    });
    test('an upgrade without a probe is one; the poll that waits ends with a noop', async () => {
        const { sid } = await engine.open();
        const poll = engine.poll(sid);
        const socket = engine.socket({ sid });
        await socket.opened;
        socket.send('5');
        socket.send('4hello');
        assert.match((await poll).text, /^(6|2)$|Bad request/); // a ping may be due; or it came behind the upgrade
        assert.equal(await socket.nextPacket(), '4hello');
        socket.close();
    });
    test('of the subprotocols that a client offers the first is taken, but no credential', async () => {
        for (const [offered, taken] of [[['a', 'b'], 'a'], [['hubbub.bearer.secret', 'b'], 'b'], [['c'], 'c']]) {
            const socket = engine.socket({}, offered);
            assert.match(await socket.next(), /^0/);
            assert.equal(socket.socket.protocol, taken);
            socket.close();
        }
    });
    test('a WebSocket ping is a pong, not a heartbeat', async () => {
        const socket = engine.socket();
        await socket.next();
        const pong = new Promise(resolve => socket.socket.once('pong', data => resolve(data.toString())));
        socket.socket.ping('x');
        assert.equal(await within(pong, 'the pong'), 'x');
        socket.close();
    });
});
