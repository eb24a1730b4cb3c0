// minutes: 6
// RFC 6455 at the level of bytes: the cases of Autobahn's fuzzing client, sections 1-7, 9 and 10,
// with its strict expectations, against an echo endpoint.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { describe } from 'node:test';
import { invalid, valid } from '../conformance/utf8.mjs';
import { OPCODE, closePayload, connectRaw, frame } from './lib/rawws.mjs';
import { hubForFile, shipped } from './lib/server.mjs';

const { continuation, text, binary, close, ping, pong } = OPCODE;
const KINDS = { text, binary };
const KiB = 1024, MiB = 1024 * KiB;
const LIMIT = 16 * MiB; // message_size in websocket.yaml
const GREETING = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!');

const hub = hubForFile(readFileSync(shipped('tests/conformance/websocket.yaml'), 'utf8'));

async function open(t) {
    const ws = await connectRaw(hub.port, '/echo');
    t.after(() => ws.destroy());
    return ws;
}

const filled = (opcode, size) => Buffer.alloc(size, opcode === text ? '*' : 0xfe);

const describeMessage = ({ opcode, payload }) => payload.length > 200
    ? `${opcode}: ${payload.length} bytes` : `${opcode}: ${payload.toString('hex')}`;

function assertMessage(got, opcode, payload) {
    assert.ok(got, 'the connection ended instead');
    if (got.opcode === opcode && got.payload.equals(Buffer.from(payload)))
        return;
    assert.fail(`got ${describeMessage(got)}, expected `
        + describeMessage({ opcode, payload: Buffer.from(payload) }));
}

/** The server must answer exactly `expected` ([opcode, payload] each), then take a close of ours. */
async function answers(ws, expected) {
    for (const [opcode, payload] of expected)
        assertMessage(await ws.nextMessage(60_000), opcode, payload);
    await ws.send(close, closePayload(1000));
    await closes(ws, 1000);
}

/** The server must answer `expected`, close with `code`, and end the connection. */
async function closes(ws, code, expected = []) {
    const { messages, close: end } = await ws.drain();
    assert.deepEqual(messages.map(describeMessage),
        expected.map(([opcode, payload]) => describeMessage({ opcode, payload: Buffer.from(payload) })));
    assert.ok(end, `the connection was dropped without a close frame, expected ${code}`);
    const codes = Array.isArray(code) ? code : [code];
    assert.ok(codes.includes(end.code), `closed with ${end.code}, expected ${codes.join(' or ')}`);
}

/** Sends a message in frames of `size` bytes; the last one has FIN unless `open`. */
function fragments(opcode, payload, size, { open: left = false } = {}) {
    const frames = [];
    for (let i = 0; i === 0 || i < payload.length; i += size)
        frames.push(frame(i === 0 ? opcode : continuation, payload.subarray(i, i + size),
            { fin: !left && i + size >= payload.length }));
    return Buffer.concat(frames);
}

describe('1 framing', () => {
    for (const [kind, opcode] of Object.entries(KINDS)) {
        for (const size of [0, 1, 125, 126, 127, 128, 65535, 65536])
            test(`${kind} of ${size} bytes is echoed`, async t => {
                const ws = await open(t);
                await ws.send(opcode, filled(opcode, size));
                await answers(ws, [[opcode, filled(opcode, size)]]);
            });
        test(`${kind} of 65536 bytes in chops of 997 is echoed`, async t => {
            const ws = await open(t);
            await ws.write(frame(opcode, filled(opcode, 65536)), 997);
            await answers(ws, [[opcode, filled(opcode, 65536)]]);
        });
        test(`${kind} byte by byte is echoed`, async t => {
            const ws = await open(t);
            await ws.write(frame(opcode, filled(opcode, 300)), 1);
            await answers(ws, [[opcode, filled(opcode, 300)]]);
        });
    }
    test('many messages in one write are echoed in order', async t => {
        const ws = await open(t);
        const payloads = Array.from({ length: 500 }, (_, i) => `message ${i}`);
        await ws.write(Buffer.concat(payloads.map(payload => frame(text, payload))));
        await answers(ws, payloads.map(payload => [text, payload]));
    });
    test('a frame without a mask closes 1002', async t => {
        const ws = await open(t);
        await ws.send(text, 'hello', { mask: false });
        await closes(ws, 1002);
    });
    test('a length with its highest bit set closes 1002', async t => {
        const ws = await open(t);
        const head = frame(binary, '', { form: 64 });
        head[2] = 0x80;
        await ws.write(head);
        await closes(ws, 1002);
    });
});

describe('2 pings and pongs', () => {
    const payloads = {
        'without payload': '', 'with text': 'Hello, world!',
        'with binary': Buffer.from('00fffefdfcfb00ff', 'hex'), 'of 125 bytes': Buffer.alloc(125, 0xfe),
    };
    for (const [name, payload] of Object.entries(payloads)) {
        test(`a ping ${name} is answered by a pong with the same`, async t => {
            const ws = await open(t);
            await ws.send(ping, payload);
            await answers(ws, [[pong, payload]]);
        });
        test(`a pong ${name} that nobody asked for is ignored`, async t => {
            const ws = await open(t);
            await ws.send(pong, payload);
            await ws.send(ping, 'after');
            await answers(ws, [[pong, 'after']]);
        });
    }
    for (const opcode of [ping, pong])
        test(`a ${opcode === ping ? 'ping' : 'pong'} of 126 bytes closes 1002`, async t => {
            const ws = await open(t);
            await ws.send(opcode, Buffer.alloc(126, 0xfe));
            await closes(ws, 1002);
        });
    test('a ping byte by byte is answered', async t => {
        const ws = await open(t);
        await ws.write(frame(ping, Buffer.alloc(125, 0xfe)), 1);
        await answers(ws, [[pong, Buffer.alloc(125, 0xfe)]]);
    });
    for (const chop of [Infinity, 1])
        test(`ten pings ${chop === 1 ? 'byte by byte' : 'at once'} get ten pongs in order`, async t => {
            const ws = await open(t);
            const names = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
            const bytes = Buffer.concat(names.map(name => frame(ping, name)));
            await ws.write(bytes, Math.min(chop, bytes.length));
            await answers(ws, names.map(name => [pong, name]));
        });
});

describe('3 reserved bits', () => {
    for (let rsv = 1; rsv < 8; rsv++)
        for (const [kind, opcode] of Object.entries({ text, binary, ping, pong, close }))
            test(`${kind} with reserved bits ${rsv} closes 1002`, async t => {
                const ws = await open(t);
                const payload = opcode === close ? closePayload(1000) : 'hello';
                await ws.send(opcode, payload, { rsv });
                await closes(ws, 1002);
            });
    for (const chop of [Infinity, 1])
        test(`what came before such a frame is echoed, what follows is not (${
            chop === 1 ? 'byte by byte' : 'at once'})`, async t => {
            const ws = await open(t);
            const bytes = Buffer.concat([frame(text, 'first'), frame(text, 'second', { rsv: 4 }),
                frame(ping, 'third')]);
            await ws.write(bytes, Math.min(chop, bytes.length));
            await closes(ws, 1002, [[text, 'first']]);
        });
});

describe('4 opcodes', () => {
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
        for (const payload of ['', 'payload'])
            test(`opcode ${opcode} with ${payload.length} bytes closes 1002`, async t => {
                const ws = await open(t);
                await ws.send(opcode, payload);
                await closes(ws, 1002);
            });
        test(`opcode ${opcode} after a message closes 1002, a ping after it is not answered`, async t => {
            const ws = await open(t);
            await ws.write(Buffer.concat([frame(text, 'first'), frame(opcode, 'x'), frame(ping)]));
            await closes(ws, 1002, [[text, 'first']]);
        });
    }
});

describe('5 fragmentation', () => {
    const part = (opcode, payload, fin = false) => frame(opcode, payload, { fin });
    const more = payload => part(continuation, payload);
    const last = payload => part(continuation, payload, true);
    const sequences = {
        'two fragments': [[part(text, 'frag1'), last('frag2')], [[text, 'frag1frag2']]],
        'a ping between fragments': [[part(text, 'frag1'), frame(ping, 'pin'), last('frag2')],
            [[pong, 'pin'], [text, 'frag1frag2']]],
        'a pong between fragments': [[part(binary, 'frag1'), frame(pong, 'x'), last('frag2')],
            [[binary, 'frag1frag2']]],
        'five fragments with pings between': [[part(text, '1'), more('2'), frame(ping, 'p'), more('3'),
            more('4'), frame(ping, 'q'), last('5')], [[pong, 'p'], [pong, 'q'], [text, '12345']]],
        'empty fragments': [[part(text, ''), more(''), last('')], [[text, '']]],
        'text between empty fragments': [[part(text, ''), more('middle'), last('')], [[text, 'middle']]],
        'a fragmented message after another': [[part(text, 'a'), last('b'), part(binary, 'c'), last('d')],
            [[text, 'ab'], [binary, 'cd']]],
    };
    const faults = {
        'a fragmented ping': [part(ping, 'frag1'), last('frag2')],
        'a fragmented pong': [part(pong, 'frag1'), last('frag2')],
        'a fragmented close': [part(close, closePayload(1000)), last('frag2')],
        'a last fragment of nothing': [last('nothing'), frame(text, 'hello')],
        'a first continuation of nothing': [more('nothing'), frame(text, 'hello')],
        'a continuation of nothing, in a row': [more('a'), more('b'), last('c')],
        'a text within a fragmented text': [part(text, 'frag1'), frame(text, 'frag2')],
        'a fragmented text within another': [part(text, 'frag1'), part(text, 'frag2'), last('frag3')],
        'a binary within a fragmented text': [part(text, 'frag1'), frame(binary, 'frag2')],
    };
    for (const chop of [Infinity, 1]) {
        const how = chop === 1 ? 'byte by byte' : 'at once';
        for (const [name, [frames, expected]] of Object.entries(sequences))
            test(`${name}, ${how}`, async t => {
                const ws = await open(t);
                const bytes = Buffer.concat(frames);
                await ws.write(bytes, Math.min(chop, bytes.length));
                await answers(ws, expected);
            });
        for (const [name, frames] of Object.entries(faults))
            test(`${name} closes 1002, ${how}`, async t => {
                const ws = await open(t);
                const bytes = Buffer.concat(frames);
                await ws.write(bytes, Math.min(chop, bytes.length));
                await closes(ws, 1002);
            });
    }
    test('a ping between fragments is answered before the message is complete', async t => {
        const ws = await open(t);
        await ws.write(Buffer.concat([part(text, 'frag1'), frame(ping, 'now')]));
        assertMessage(await ws.nextMessage(), pong, 'now');
        await ws.write(last('frag2'));
        await answers(ws, [[text, 'frag1frag2']]);
    });
    test('a continuation after a whole fragmented message closes 1002', async t => {
        const ws = await open(t);
        await ws.write(Buffer.concat([part(text, 'a'), last('b'), last('c'), frame(text, 'd')]));
        await closes(ws, 1002, [[text, 'ab']]);
    });
});

describe('6 UTF-8', () => {
    const shapes = {
        'in one frame': payload => frame(text, payload),
        'a byte to a fragment': payload => fragments(text, payload, 1),
    };
    for (const [shape, encode] of Object.entries(shapes)) {
        for (const [name, sequences] of Object.entries(valid))
            test(`${name} are echoed, ${shape}`, async t => {
                const ws = await open(t);
                const payloads = [GREETING, ...sequences.map(hex => Buffer.from(hex, 'hex'))];
                await ws.write(Buffer.concat(payloads.map(encode)));
                await answers(ws, payloads.map(payload => [text, payload]));
            });
        for (const [name, sequences] of Object.entries(invalid))
            for (const hex of sequences)
                test(`${name}, ${hex.slice(0, 48)}, closes 1007, ${shape}`, async t => {
                    const ws = await open(t);
                    await ws.write(encode(Buffer.from(hex, 'hex')));
                    await closes(ws, 1007);
                });
    }
    test('a valid text byte by byte is echoed', async t => {
        const ws = await open(t);
        await ws.write(frame(text, GREETING), 1);
        await answers(ws, [[text, GREETING]]);
    });
    test('bytes that are no UTF-8 are fine in a binary message', async t => {
        const ws = await open(t);
        await ws.send(binary, Buffer.from('eda080ff', 'hex'));
        await answers(ws, [[binary, Buffer.from('eda080ff', 'hex')]]);
    });

    // Fail-fast: the rest of the message never comes, the close must come without it.
    const good = Buffer.from('κόσμε');
    const early = {
        'at the byte that can be of no character': 'f490', 'after a whole wrong sequence': 'f4908080',
        'at a surrogate': 'eda0', 'at an overlong start': 'c0', 'at a byte that never occurs': 'ff',
        'at a missing continuation': 'e28a41',
    };
    for (const [name, hex] of Object.entries(early)) {
        const bad = Buffer.from(hex, 'hex');
        test(`the fault is told ${name}, before the last fragment`, async t => {
            const ws = await open(t);
            await ws.write(Buffer.concat([frame(text, good, { fin: false }),
                frame(continuation, bad, { fin: false })]));
            await closes(ws, 1007);
        });
        test(`the fault is told ${name}, across fragments`, async t => {
            const ws = await open(t);
            await ws.write(fragments(text, Buffer.concat([good, bad]), 1, { open: true }));
            await closes(ws, 1007);
        });
        test(`the fault is told ${name}, before the frame is complete`, async t => {
            const ws = await open(t);
            const whole = frame(text, Buffer.concat([good, bad, Buffer.alloc(1000, 'x')]));
            await ws.write(whole.subarray(0, whole.length - 1000));
            await closes(ws, 1007);
        });
    }
});

describe('7 closing', () => {
    test('a message, then a close: both are answered', async t => {
        const ws = await open(t);
        await ws.write(Buffer.concat([frame(text, 'hello'), frame(close, closePayload(1000))]));
        await closes(ws, 1000, [[text, 'hello']]);
    });
    for (const [name, frames] of Object.entries({
        'a second close': [frame(close, closePayload(1001))],
        'a ping': [frame(ping, 'late')],
        'a message': [frame(text, 'late')],
        'the rest of a message': [frame(continuation, 'late')],
        'rubbish': [Buffer.alloc(5000, 0xff)],
    }))
        test(`${name} after a close is ignored`, async t => {
            const ws = await open(t);
            const start = name.startsWith('the rest') ? [frame(text, 'early', { fin: false })] : [];
            await ws.write(Buffer.concat([...start, frame(close, closePayload(1000)), ...frames]));
            await closes(ws, 1000);
        });
    test('a big message, then a close and a ping: the message comes back whole', async t => {
        const ws = await open(t);
        const payload = filled(text, 256 * KiB);
        await ws.write(Buffer.concat([frame(text, payload), frame(close, closePayload(1000)), frame(ping)]));
        await closes(ws, 1000, [[text, payload]]);
    });
    test('a close without payload is answered', async t => {
        const ws = await open(t);
        await ws.send(close);
        await closes(ws, [null, 1000]);
    });
    test('a close of one byte closes 1002', async t => {
        const ws = await open(t);
        await ws.send(close, 'a');
        await closes(ws, 1002);
    });
    for (const reason of ['', 'Hello World!', '*'.repeat(123), 'κόσμε'])
        test(`a close with a reason of ${Buffer.byteLength(reason)} bytes is answered`, async t => {
            const ws = await open(t);
            await ws.send(close, closePayload(1000, reason));
            await closes(ws, 1000);
        });
    test('a close byte by byte is answered', async t => {
        const ws = await open(t);
        await ws.write(frame(close, closePayload(1000, 'bye')), 1);
        await closes(ws, 1000);
    });
    test('a close of 126 bytes closes 1002', async t => {
        const ws = await open(t);
        await ws.send(close, closePayload(1000, '*'.repeat(124)));
        await closes(ws, 1002);
    });
    test('a reason that is no UTF-8 closes 1007', async t => {
        const ws = await open(t);
        await ws.send(close, closePayload(1000, Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex')));
        await closes(ws, 1007);
    });
    for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000,
        3999, 4000, 4999])
        test(`code ${code} is answered with the same`, async t => {
            const ws = await open(t);
            await ws.send(close, closePayload(code));
            await closes(ws, code);
        });
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
        for (const reason of ['', 'with a reason'])
            test(`code ${code} ${reason || 'alone'} closes 1002`, async t => {
                const ws = await open(t);
                await ws.send(close, closePayload(code, reason));
                await closes(ws, 1002);
            });
});

describe('9 limits', () => {
    const fourMiB = 4 * MiB;
    for (const [kind, opcode] of Object.entries(KINDS)) {
        for (const size of [64 * KiB, 256 * KiB, MiB, fourMiB, 8 * MiB, LIMIT])
            test(`${kind} of ${size / KiB} KiB is echoed`, async t => {
                const ws = await open(t);
                const payload = filled(opcode, size);
                await ws.send(opcode, payload);
                await answers(ws, [[opcode, payload]]);
            });
        for (const size of [64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, MiB, fourMiB])
            test(`${kind} of 4 MiB in fragments of ${size} bytes is echoed`, async t => {
                const ws = await open(t);
                const payload = filled(opcode, fourMiB);
                await ws.write(fragments(opcode, payload, size));
                await answers(ws, [[opcode, payload]]);
            });
        for (const chop of [64, 128, 256, 512, 1024, 2048])
            test(`${kind} of 1 MiB in chops of ${chop} bytes is echoed`, async t => {
                const ws = await open(t);
                const payload = filled(opcode, MiB);
                await ws.write(frame(opcode, payload), chop);
                await answers(ws, [[opcode, payload]]);
            });
        for (const size of [0, 16, 64, 256, 1024, 4096])
            test(`1000 round trips of ${kind} of ${size} bytes`, async t => {
                const ws = await open(t);
                const payload = filled(opcode, size), bytes = frame(opcode, payload);
                for (let i = 0; i < 1000; i++) {
                    await ws.write(bytes);
                    assertMessage(await ws.nextMessage(), opcode, payload);
                }
                await answers(ws, []);
            });
    }
    test('a frame of more than the limit closes 1009 before its payload came', async t => {
        const ws = await open(t);
        await ws.write(frame(binary, '', { length: LIMIT + 1 }));
        await closes(ws, 1009);
    });
    test('a frame of more than the limit, sent whole, closes 1009', async t => {
        const ws = await open(t);
        const sent = ws.send(binary, Buffer.alloc(LIMIT + 1));
        await closes(ws, 1009);
        await sent;
    });
    test('a frame of 2^62 bytes closes 1009', async t => {
        const ws = await open(t);
        const head = frame(binary, '', { form: 64 });
        head[2] = 0x40;
        await ws.write(head);
        await closes(ws, 1009);
    });
    test('fragments of more than the limit together close 1009', async t => {
        const ws = await open(t);
        const half = Buffer.alloc(LIMIT / 2);
        await ws.send(binary, half, { fin: false });
        await ws.send(continuation, half, { fin: false });
        await ws.send(continuation, 'x', { fin: false });
        await closes(ws, 1009);
    });
    test('a million empty fragments do no harm', async t => {
        const ws = await open(t);
        const empty = frame(continuation, '', { fin: false });
        const batch = Buffer.concat(Array.from({ length: 10_000 }, () => empty));
        await ws.send(text, 'a', { fin: false });
        for (let i = 0; i < 100; i++)
            await ws.write(batch);
        await ws.send(continuation, 'b');
        await answers(ws, [[text, 'ab']]);
    });
});

describe('10 fragments of the size of a packet', () => {
    for (const [kind, opcode] of Object.entries(KINDS))
        test(`${kind} of 64 KiB in fragments of 1300 bytes is echoed`, async t => {
            const ws = await open(t);
            const payload = filled(opcode, 64 * KiB);
            await ws.write(fragments(opcode, payload, 1300));
            await answers(ws, [[opcode, payload]]);
        });
});
