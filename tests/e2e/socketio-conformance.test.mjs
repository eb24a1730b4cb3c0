// Socket.IO 5, protocol level: the 32 cases of the public suite in our own words, and the rest of the
// reference's strictness, against examples/echo-plugin.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import test, { describe } from 'node:test';
import { engineCases } from './lib/engine-cases.mjs';
import { engineOf } from './lib/engine.mjs';
import { hubForFile, shipped } from './lib/server.mjs';
import { within } from './lib/until.mjs';

const hub = hubForFile(readFileSync(shipped('tests/conformance/socketio.yaml'), 'utf8'));
const engine = engineOf(hub, '/socket.io/');

async function handshake() {
    const socket = engine.socket();
    assert.match(await socket.next(), /^0/);
    return socket;
}

/** In the main namespace, `auth` received. */
async function connected() {
    const socket = await handshake();
    socket.send('40');
    assert.match(await socket.nextPacket(), /^40\{"sid":"[^"]+"\}$/);
    assert.equal(await socket.nextPacket(), '42["auth",{}]');
    return socket;
}

async function closes(socket, what) {
    while (await socket.next(`the end after ${what}`) !== null)
        ;
    assert.equal((await socket.closed).code, 1005);
}

engineCases(engine);

describe('connect', () => {
    const cases = [
        ['to the main namespace', '40', '40', '42["auth",{}]'],
        ['to the main namespace with a payload', '40{"token":"123"}', '40', '42["auth",{"token":"123"}]'],
        ['to a custom namespace', '40/custom,', '40/custom,', '42/custom,["auth",{}]'],
        ['to a custom namespace with a payload', '40/custom,{"token":"abc"}', '40/custom,',
            '42/custom,["auth",{"token":"abc"}]'],
    ];
    for (const [name, packet, head, auth] of cases)
        test(name, async () => {
            const socket = await handshake();
            socket.send(packet);
            const answer = await socket.nextPacket();
            assert.ok(answer.startsWith(`${head}{`), answer);
            assert.deepEqual(Object.keys(JSON.parse(answer.slice(head.length))), ['sid']);
            assert.equal(await socket.nextPacket(), auth);
            socket.close();
        });
    test('to an unknown namespace', async () => {
        const socket = await handshake();
        socket.send('40/random');
        assert.equal(await socket.nextPacket(), '44/random,{"message":"Invalid namespace"}');
        socket.close();
    });
    test('by what is no packet', async () => {
        const socket = await handshake();
        socket.send('4abc');
        await closes(socket, '4abc');
    });
    test('not at all: closed after the connect time-out', async () => {
        const socket = await handshake();
        while (await socket.next() === '2')
            socket.send('3');
        assert.equal((await socket.closed).code, 1005);
    });
    test('what the application says on entering comes after CONNECT, not in one read with it', async () => {
        // A simple client, that has no listener between two messages. A stall of the machine can make
        // one read of two: once in a few times it must do.
        const hears = async packet => {
            const { socket } = await handshake();
            const message = async () => (await within(once(socket, 'message'), 'a message', 3_000))[0].toString();
            socket.send(packet);
            try {
                assert.ok((await message()).startsWith(packet));
                let next = await message();
                while (next === '2')
                    next = await message();
                return /"auth",\{\}/.test(next);
            } catch {
                return false;
            } finally {
                socket.close();
            }
        };
        for (const packet of ['40', '40/custom']) {
            let heard = false;
            for (let attempt = 0; attempt < 5 && !heard; attempt++)
                heard = await hears(packet);
            assert.ok(heard, packet);
        }
    });
});

describe('disconnect', () => {
    test('from the main namespace', async () => {
        const socket = await connected();
        socket.send('40/custom');
        assert.match(await socket.nextPacket(), /^40\/custom,/);
        assert.equal(await socket.nextPacket(), '42/custom,["auth",{}]');
        socket.send('41');
        socket.send('42/custom,["message","to the custom namespace"]');
        assert.equal(await socket.nextPacket(), '42/custom,["message-back","to the custom namespace"]');
        socket.close();
    });
    test('from a custom namespace', async () => {
        const socket = await connected();
        socket.send('40/custom');
        await socket.nextPacket();
        await socket.nextPacket();
        socket.send('41/custom');
        socket.send('42["message","to the main namespace"]');
        assert.equal(await socket.nextPacket(), '42["message-back","to the main namespace"]');
        socket.close();
    });
});

describe('message', () => {
    const bytes = (...list) => Uint8Array.from(list);
    test('plain text', async () => {
        const socket = await connected();
        socket.send('42["message",1,"2",{"3":[true]}]');
        assert.equal(await socket.nextPacket(), '42["message-back",1,"2",{"3":[true]}]');
        socket.close();
    });
    test('with attachments', async () => {
        const socket = await connected();
        socket.send('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
        socket.send(bytes(1, 2, 3));
        socket.send(bytes(4, 5, 6));
        assert.equal(await socket.nextPacket(),
            '452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
        assert.deepEqual([...await socket.nextPacket()], [1, 2, 3]);
        assert.deepEqual([...await socket.nextPacket()], [4, 5, 6]);
        socket.close();
    });
    test('with an ack', async () => {
        const socket = await connected();
        socket.send('42456["message-with-ack",1,"2",{"3":[false]}]');
        assert.equal(await socket.nextPacket(), '43456[1,"2",{"3":[false]}]');
        socket.close();
    });
    test('with attachments and an ack', async () => {
        const socket = await connected();
        socket.send('452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
        socket.send(bytes(1, 2, 3));
        socket.send(bytes(4, 5, 6));
        assert.equal(await socket.nextPacket(),
            '462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
        assert.deepEqual([...await socket.nextPacket()], [1, 2, 3]);
        assert.deepEqual([...await socket.nextPacket()], [4, 5, 6]);
        socket.close();
    });
    const violations = {
        'an unknown packet type': '4abc', 'a payload of the wrong kind': '42{}', 'a bad ack id': '42abc["message",1]',
        'bad JSON': '42["a"', 'no event': '42[]', 'an event that is no name': '42[null]',
        'a reserved event': '42["connect"]', 'a namespace not entered': '42/custom,["a"]',
        'a namespace entered twice': '40', 'an error of the client': '44{"message":"x"}',
        'a disconnect with a payload': '41{}', 'no attachments': '450-["a"]', 'too many attachments': '4511-["a"]',
        'an ack of nothing': '431{}',
    };
    for (const [name, packet] of Object.entries(violations))
        test(`${name} closes the connection`, async () => {
            const socket = await connected();
            socket.send(packet);
            await closes(socket, packet);
        });
    test('who polls only later gets what waited, then the close', async () => {
        const { sid } = await engine.open();
        await engine.post(sid, '40');
        await engine.post(sid, '421["x",1]');
        assert.equal((await engine.post(sid, '42{}')).text, 'ok');
        assert.match((await engine.poll(sid)).text, /^40\{.*431\[1\]/s);
        assert.equal((await engine.poll(sid)).text, '1');
        assert.equal((await engine.poll(sid)).status, 400);
    });
    test('a text amidst attachments closes the connection', async () => {
        const socket = await connected();
        socket.send('451-["a",{"_placeholder":true,"num":0}]');
        socket.send('42["a"]');
        await closes(socket, 'a text');
    });
    test('an attachment of nothing closes the connection', async () => {
        const socket = await connected();
        socket.send(bytes(1));
        await closes(socket, 'bytes');
    });
    test('a placeholder without its attachment closes the connection', async () => {
        const socket = await connected();
        socket.send('451-["a",{"_placeholder":true,"num":1}]');
        socket.send(bytes(1));
        await closes(socket, 'a placeholder');
    });
    test('ten attachments are fine', async () => {
        const socket = await connected();
        const list = Array.from({ length: 10 }, (_, num) => `{"_placeholder":true,"num":${num}}`);
        socket.send(`4510-1["x",${list}]`);
        list.forEach((_, i) => socket.send(bytes(i)));
        assert.equal(await socket.nextPacket(), `4610-1[${list}]`);
        for (let i = 0; i < 10; i++)
            assert.deepEqual([...await socket.nextPacket()], [i]);
        socket.close();
    });
    test('attachments over polling are base64', async () => {
        const { sid } = await engine.open();
        await engine.post(sid, '40');
        await engine.poll(sid);
        await engine.post(sid, '451-7["x",{"_placeholder":true,"num":0}]\x1ebAQIDBA==');
        let text = '';
        while (!text.includes('461'))
            text += await within(engine.poll(sid), 'the ack').then(answer => answer.text);
        assert.ok(text.includes('461-7[{"_placeholder":true,"num":0}]\x1ebAQIDBA=='), text);
    });
    test('an ack that nobody waits for, or of nothing, does no harm', async () => {
        const socket = await connected();
        for (const packet of ['430[]', '43[]', '43', '437', '461-9[{"_placeholder":true,"num":0}]'])
            socket.send(packet);
        socket.send(bytes(1));
        socket.send('42["message",1]');
        assert.equal(await socket.nextPacket(), '42["message-back",1]');
        socket.close();
    });
    test('numbers and order of keys come back as they were sent', async () => {
        const socket = await connected();
        const data = '{"z":1.10,"a":12345678901234567890,"e":1e400,"z":-0,"ü":"\\u00fc"}';
        socket.send(`421["x",${data}]`);
        assert.equal(await socket.nextPacket(), `431[${data}]`);
        socket.close();
    });
});
