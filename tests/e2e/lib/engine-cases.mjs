// What both of the public suites ask of Engine.IO: handshake, heartbeat, close, upgrade.
import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { until, within } from './until.mjs';

const KEYS = ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades'];

function checkHandshake(packet, upgrades) {
    assert.equal(packet[0], '0');
    const handshake = JSON.parse(packet.slice(1));
    assert.deepEqual(Object.keys(handshake).sort(), KEYS);
    assert.equal(typeof handshake.sid, 'string');
    assert.deepEqual(handshake.upgrades, upgrades);
    assert.deepEqual([handshake.pingInterval, handshake.pingTimeout, handshake.maxPayload], [300, 200, 1000000]);
}

/** A WebSocket that is refused: the status and body of the answer. */
export function refusal(socket) {
    return within(new Promise(resolve => socket.socket.on('unexpected-response', (request, answer) => {
        let text = '';
        answer.on('data', chunk => { text += chunk; });
        answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
    })), 'the refusal');
}

/** Goes from polling to WebSocket; gives the socket, upgraded. */
export async function upgrade(engine, sid) {
    const socket = engine.socket({ sid });
    await socket.opened;
    socket.send('2probe');
    assert.equal(await socket.next(), '3probe');
    socket.send('5');
    return socket;
}

/** A pong has 200 ms: on a machine that stalls for longer a session ends rightly, and another is tried. */
async function onceInTime(story, tries = 5) {
    try {
        await story();
    } catch (error) {
        if (tries === 1)
            throw error;
        await onceInTime(story, tries - 1);
    }
}

export function engineCases(engine) {
    describe('handshake', () => {
        test('polling: opens a session', async () => {
            const answer = await engine.http();
            assert.equal(answer.status, 200);
            assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
            assert.equal(answer.headers['content-length'], String(answer.text.length));
            checkHandshake(answer.text, ['websocket']);
        });
        test('polling: another or no version is refused', async () => {
            for (const EIO of [undefined, 'abc', '3', '5', '']) {
                const answer = await engine.http({ EIO });
                assert.equal(answer.status, 400);
                assert.equal(answer.text, '{"code":5,"message":"Unsupported protocol version"}');
            }
        });
        test('polling: another or no transport is refused', async () => {
            for (const transport of [undefined, 'abc', 'webtransport']) {
                const answer = await engine.http({ transport });
                assert.equal(answer.status, 400);
                assert.equal(answer.text, '{"code":0,"message":"Transport unknown"}');
            }
        });
        test('polling: only GET opens a session', async () => {
            for (const method of ['POST', 'PUT', 'DELETE']) {
                const answer = await engine.http({}, { method });
                assert.equal(answer.status, 400);
                assert.equal(answer.text, '{"code":2,"message":"Bad handshake method"}');
            }
        });
        test('websocket: opens a session', async () => {
            const socket = engine.socket();
            checkHandshake(await socket.next(), []);
            socket.close();
        });
        test('websocket: another or no version is refused', async () => {
            for (const EIO of [undefined, 'abc']) {
                const { status, text } = await refusal(engine.socket({ EIO }));
                assert.deepEqual([status, text], [400, 'Unsupported protocol version']);
            }
        });
        test('websocket: another or no transport is refused', async () => {
            for (const transport of [undefined, 'abc']) {
                const { status, text } = await refusal(engine.socket({ transport }));
                assert.deepEqual([status, text], [400, 'Transport unknown']);
            }
        });
    });

    describe('heartbeat', () => {
        test('polling: the server pings and is answered', async () => {
            await onceInTime(async () => {
                const { sid } = await engine.open();
                for (let i = 0; i < 3; i++) {
                    assert.equal((await engine.poll(sid)).text, '2');
                    assert.equal((await engine.post(sid, '3')).text, 'ok');
                }
            });
        });
        test('polling: silence closes the session', async () => {
            const { sid } = await engine.open();
            await until(async () => (await engine.http({ sid }, { method: 'PATCH' })).json.code === 1, 'the end');
            assert.equal((await engine.poll(sid)).status, 400);
        });
        test('websocket: the server pings and is answered', async () => {
            await onceInTime(async () => {
                const socket = engine.socket();
                await socket.next();
                for (let i = 0; i < 3; i++) {
                    assert.equal(await socket.next(), '2');
                    socket.send('3');
                }
                socket.close();
            });
        });
        test('websocket: silence closes the session', async () => {
            const socket = engine.socket();
            await socket.next();
            assert.equal(await socket.next(), '2');
            assert.equal(await socket.next(), null);
        });
    });

    describe('close', () => {
        test('polling: the client closes, its poll ends with a noop', async () => {
            const { sid } = await engine.open();
            const poll = engine.poll(sid);
            const [polled] = await Promise.all([poll, engine.post(sid, '1')]);
            assert.deepEqual([polled.status, polled.text], [200, '6']);
            assert.equal((await engine.poll(sid)).status, 400);
        });
        test('websocket: the client closes', async () => {
            const socket = engine.socket();
            await socket.next();
            socket.send('1');
            assert.equal((await socket.closed).code, 1005);
        });
    });

    describe('upgrade', () => {
        test('a polled session goes on over a WebSocket', async () => {
            const { sid } = await engine.open();
            const socket = engine.socket({ sid });
            await socket.opened;
            socket.send('2probe');
            assert.equal(await socket.next(), '3probe');
            assert.equal((await engine.poll(sid)).text, '6');
            socket.send('5');
            assert.equal(await socket.next(), '2');
            socket.close();
        });
        test('a poll that left before the probe was answered ends with a noop', async () => {
            const { sid } = await engine.open();
            const poll = engine.poll(sid), socket = engine.socket({ sid });
            await socket.opened;
            socket.send('2probe');
            const [polled, answer] = await Promise.all([poll, socket.next()]);
            assert.deepEqual([polled.status, polled.text, answer], [200, '6', '3probe']);
            socket.close();
        });
        test('polls after the upgrade are refused, even one that overtakes it', async () => {
            for (let i = 0; i < 20; i++) {
                const { sid } = await engine.open();
                const socket = await upgrade(engine, sid);
                for (const polled of [await engine.poll(sid), await engine.poll(sid)])
                    assert.deepEqual([polled.status, polled.text], [400, '{"code":3,"message":"Bad request"}']);
                socket.close();
            }
        });
        test('a second WebSocket after the upgrade is closed', async () => {
            const { sid } = await engine.open();
            const socket = await upgrade(engine, sid);
            const second = engine.socket({ sid });
            await within(second.closed, 'the end of the second');
            assert.equal(await socket.next(), '2');
            socket.close();
        });
    });
}
