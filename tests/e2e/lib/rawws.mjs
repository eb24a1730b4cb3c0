// A WebSocket client on a bare TCP socket: it sends any bytes, right or wrong, in any chops, and
// checks that what comes back is well-formed (RFC 6455 section 5).
import { createHash, randomBytes } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { within } from './until.mjs';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

function masked(payload) {
    const result = Buffer.allocUnsafe(payload.length);
    for (let i = 0; i < payload.length; i++)
        result[i] = payload[i] ^ MASK[i & 3];
    return result;
}

function lengthBytes(length, form) {
    const bytes = Buffer.alloc({ 7: 0, 16: 2, 64: 8 }[form]);
    if (form === 16)
        bytes.writeUInt16BE(length);
    if (form === 64)
        bytes.writeBigUInt64BE(BigInt(length));
    return bytes;
}

/**
 * The bytes of a frame. `form` (7, 16 or 64) forces a longer length than needed, `length` lies about
 * it, `mask: false` leaves the mask out.
 */
export function frame(opcode, payload = '', options = {}) {
    const data = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
    const { fin = true, rsv = 0, mask = true, length = data.length } = options;
    const { form = length < 126 ? 7 : length < 65536 ? 16 : 64 } = options;
    const short = form === 7 ? length : form === 16 ? 126 : 127;
    const head = Buffer.from([(fin ? 0x80 : 0) | rsv << 4 | opcode, (mask ? 0x80 : 0) | short]);
    return Buffer.concat([head, lengthBytes(length, form), ...mask ? [MASK, masked(data)] : [data]]);
}

/** The payload of a close frame. */
export function closePayload(code, reason = '') {
    const head = Buffer.alloc(2);
    head.writeUInt16BE(code);
    return Buffer.concat([head, Buffer.isBuffer(reason) ? reason : Buffer.from(reason)]);
}

/** One frame off the front of the bytes, or null when it is not all there. Throws on a malformed one. */
export function parseFrame(bytes) {
    if (bytes.length < 2)
        return null;
    const short = bytes[1] & 0x7f, start = 2 + { 126: 2, 127: 8 }[short] || 2;
    if (bytes.length < start)
        return null;
    const length = short < 126 ? short
        : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    const opcode = bytes[0] & 0x0f, fin = (bytes[0] & 0x80) !== 0, rsv = bytes[0] >> 4 & 7;
    const faults = [
        bytes[1] & 0x80 && 'masked',
        rsv && `reserved bits ${rsv}`,
        !Object.values(OPCODE).includes(opcode) && `opcode ${opcode}`,
        opcode >= 8 && (!fin || length > 125) && 'a control frame that is fragmented or too long',
        (short === 126 && length < 126 || short === 127 && length < 65536) && 'an overlong length',
    ].filter(Boolean);
    if (faults.length > 0)
        throw new Error(`the server sent a malformed frame: ${faults.join(', ')}`);
    if (bytes.length < start + length)
        return null;
    return { opcode, fin, payload: bytes.subarray(start, start + length), size: start + length };
}

export class RawWebSocket {
    constructor(socket) {
        this.socket = socket;
        this.frames = []; // not taken yet
        this.waiting = [];
        this.chunks = [];
        this.held = 0;
        this.needed = 2;
        this.fault = null;
        this.ended = false;
        this.saidClose = false;
        socket.setNoDelay(true);
        socket.on('data', chunk => this.onBytes(chunk));
        socket.on('error', error => { this.error = error; });
        this.gone = new Promise(done => socket.once('close', () => {
            this.ended = true;
            this.wake();
            done();
        }));
    }

    onBytes(chunk) {
        this.chunks.push(chunk);
        this.held += chunk.length;
        if (this.held < this.needed || this.fault)
            return;
        let bytes = Buffer.concat(this.chunks);
        try {
            for (let next; (next = parseFrame(bytes)); bytes = bytes.subarray(next.size))
                this.frames.push(next);
        } catch (error) {
            this.fault = error;
        }
        this.chunks = [bytes];
        this.held = bytes.length;
        this.needed = announcedSize(bytes);
        this.wake();
    }

    wake() {
        this.waiting.splice(0).forEach(resume => resume());
    }

    /** The next frame {opcode, fin, payload}; null when the connection ended. */
    async nextFrame(deadline) {
        const end = async () => {
            while (this.frames.length === 0 && !this.ended && !this.fault)
                await new Promise(resume => this.waiting.push(resume));
        };
        await within(end(), 'a frame', deadline);
        if (this.fault)
            throw this.fault;
        return this.frames.shift() ?? null;
    }

    /**
     * The next message, its fragments joined: {opcode, payload}. Control frames come by themselves;
     * the server's pings are answered and not shown.
     */
    async nextMessage(deadline) {
        const parts = [];
        let opcode;
        for (;;) {
            const next = await this.nextFrame(deadline);
            if (next?.opcode === OPCODE.ping) {
                await this.send(OPCODE.pong, next.payload);
                continue;
            }
            if (!next || next.opcode >= 8)
                return next;
            opcode ??= next.opcode;
            parts.push(next.payload);
            if (next.fin)
                return { opcode, payload: Buffer.concat(parts) };
        }
    }

    /** Sends bytes, in chops of `size` when given, each handed to the kernel before the next. */
    async write(bytes, size = bytes.length) {
        for (let i = 0; i < bytes.length && !this.ended; i += size)
            await new Promise(done => this.socket.write(bytes.subarray(i, i + size), () => done()));
    }

    send(opcode, payload, options) {
        this.saidClose ||= opcode === OPCODE.close;
        return this.write(frame(opcode, payload, options));
    }

    /**
     * Everything up to the end: {messages, close: {code, reason} or null (no close frame)}. A close
     * is answered, and it is the server that then has to end the connection.
     */
    async drain(deadline) {
        const messages = [];
        let close = null, next;
        while ((next = await this.nextMessage(deadline))) {
            if (next.opcode !== OPCODE.close) {
                messages.push(next);
                continue;
            }
            const code = next.payload.length >= 2 ? next.payload.readUInt16BE(0) : null;
            close = { code, reason: next.payload.subarray(2).toString() };
            if (!this.saidClose)
                await this.send(OPCODE.close, next.payload);
        }
        await within(this.gone, 'the end of the connection', deadline);
        return { messages, close };
    }

    destroy() {
        this.socket.destroy();
    }
}

function announcedSize(bytes) {
    if (bytes.length < 10)
        return bytes.length + 1;
    const short = bytes[1] & 0x7f;
    if (short < 126)
        return 2 + short;
    return short === 126 ? 4 + bytes.readUInt16BE(2) : 10 + Number(bytes.readBigUInt64BE(2));
}

/** A TCP connection that has sent `request` and read the head of the answer: {head, rest, socket}. */
export async function exchange(port, request) {
    const socket = connectTcp({ port, host: '127.0.0.1' });
    const answered = new Promise((resolve, reject) => {
        let bytes = Buffer.alloc(0);
        const onData = chunk => {
            bytes = Buffer.concat([bytes, chunk]);
            const end = bytes.indexOf('\r\n\r\n');
            if (end < 0)
                return;
            socket.off('data', onData);
            socket.pause();
            resolve({ head: bytes.subarray(0, end).toString(), rest: bytes.subarray(end + 4), socket });
        };
        socket.on('data', onData);
        socket.once('error', reject);
        socket.once('close', () => reject(new Error(`closed before an answer: ${bytes}`)));
        socket.once('connect', () => socket.write(request));
    });
    return within(answered, 'the answer to the upgrade').catch(error => {
        socket.destroy();
        throw error;
    });
}

/** Opens a raw WebSocket, or throws with the head of the answer when the upgrade is refused. */
export async function connectRaw(port, path = '/hub/ws', headers = {}) {
    const key = randomBytes(16).toString('base64');
    const all = {
        Host: `127.0.0.1:${port}`, Upgrade: 'websocket', Connection: 'Upgrade',
        'Sec-WebSocket-Key': key, 'Sec-WebSocket-Version': '13', ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const { head, rest, socket } = await exchange(port, `GET ${path} HTTP/1.1\r\n${lines}\r\n`);
    const accept = createHash('sha1').update(key + GUID).digest('base64');
    if (!/^HTTP\/1\.1 101 /.test(head) || !head.includes(accept)) {
        socket.destroy();
        throw new Error(`the upgrade was refused: ${head}`);
    }
    const raw = new RawWebSocket(socket);
    raw.head = head;
    if (rest.length > 0)
        raw.onBytes(rest);
    socket.resume();
    return raw;
}
