// Engine.IO at the level of requests and frames: polls, posts, and WebSockets that miss no message.
import WebSocket from 'ws';
import { within } from './until.mjs';

/** engineOf(hub, '/socket.io/'): the calls of one endpoint. */
export function engineOf(hub, path) {
    const address = query => `${path}?${new URLSearchParams({ EIO: '4', transport: 'polling', ...query })}`;
    return {
        /** Any request: query parameters over the usual ones (undefined: leave one out). */
        http(query = {}, options = {}) {
            const all = { EIO: '4', transport: 'polling', ...query };
            const given = Object.entries(all).filter(([, value]) => value !== undefined);
            return hub.http(`${path}?${new URLSearchParams(given)}`, options);
        },
        poll(sid, headers) { return hub.http(address({ sid }), { headers }); },
        post(sid, body, headers = { 'Content-Type': 'text/plain;charset=UTF-8' }) {
            return hub.http(address({ sid }), { method: 'POST', body, headers });
        },
        /** A handshake over polling: its JSON. */
        async open() {
            const { text } = await hub.http(address({}));
            return JSON.parse(text.slice(1));
        },
        /** A WebSocket, as it opens; `sid` makes it a probe. */
        socket(query = {}, protocols = []) {
            const all = { EIO: '4', transport: 'websocket', ...query };
            const given = Object.entries(all).filter(([, value]) => value !== undefined);
            return new EngineSocket(hub, `${hub.url(path, 'ws')}?${new URLSearchParams(given)}`, protocols);
        },
    };
}

/** A socket of Socket.IO without its client: { sid, pid } of CONNECT's answer, and its connection. */
export async function enter(hub, payload) {
    const connection = engineOf(hub, '/socket.io/').socket();
    await connection.next();
    connection.send(`40${payload ? JSON.stringify(payload) : ''}`);
    return { connection, ...JSON.parse((await connection.nextPacket()).slice(2)) };
}

export class EngineSocket {
    constructor(hub, url, protocols, options) {
        this.queue = [];
        this.waiting = [];
        this.socket = new WebSocket(url, protocols, options);
        hub.clients?.add(this.socket);
        this.socket.on('message', (data, isBinary) => this.push(isBinary ? data : data.toString()));
        this.closed = new Promise(resolve => {
            this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
            this.socket.on('error', error => { this.error = error; });
        });
        this.closed.then(() => this.push(null));
        this.opened = new Promise(resolve => this.socket.on('open', resolve));
    }

    push(message) {
        const waiter = this.waiting.shift();
        if (waiter)
            waiter(message);
        else
            this.queue.push(message);
    }

    send(data) { this.socket.send(data); }
    close() { this.socket.close(); }

    /** The next message: a string, a Buffer, or null once it is closed. */
    next(what = 'a message', deadline) {
        if (this.queue.length > 0)
            return Promise.resolve(this.queue.shift());
        return within(new Promise(resolve => this.waiting.push(resolve)), what, deadline);
    }

    /** The next message that is no ping; pings are answered. */
    async nextPacket(what) {
        for (;;) {
            const message = await this.next(what);
            if (message !== '2')
                return message;
            this.send('3');
        }
    }
}
