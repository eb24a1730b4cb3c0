// The stock client of Socket.IO, as applications use it, with what tests need around it.
import { Manager } from 'socket.io-client';
import { until, within } from './until.mjs';

/** The ways a client may take. */
export const WAYS = { 'polling only': ['polling'], 'websocket only': ['websocket'],
    'polling, then websocket': ['polling', 'websocket'] };

const FAST = { reconnectionDelay: 20, reconnectionDelayMax: 200, forceNew: true, closeOnBeforeunload: false };

/**
 * A socket that keeps every event: socket.events is [[name, ...args], …]. Options are the client's own,
 * and `namespace`, `token`, `transports`.
 */
export function open(t, target, { namespace = '/', token, auth = token === undefined ? undefined : { token },
    transports, manager, ...more } = {}) {
    const own = manager ?? new Manager(target.base, { ...FAST, ...transports && { transports }, ...more });
    const socket = own.socket(namespace, { auth, ...more });
    socket.events = [];
    socket.states = []; // connect, disconnect reasons, connect errors
    socket.onAny((...event) => socket.events.push(event));
    socket.on('connect', () => socket.states.push(socket.recovered ? 'recovered' : 'connect'));
    socket.on('disconnect', reason => socket.states.push(reason));
    socket.on('connect_error', error => socket.states.push(`error: ${error.message}`));
    if (!manager)
        t.after(() => {
            own.reconnection(false);
            own._close();
        });
    return socket;
}

export async function connect(t, target, options) {
    const socket = open(t, target, options);
    await connected(socket);
    return socket;
}

export const connected = socket => until(() => socket.connected,
    () => `the connection; ${socket.states.join(', ')}`);

/** Emits with an ack; the ack's arguments. */
export const ask = (socket, ...event) => within(new Promise(resolve =>
    socket.emit(...event, (...answer) => resolve(answer))), () => `the ack of ${JSON.stringify(event)}`);

/** Emits with an ack that must be ok. */
export async function ok(socket, ...event) {
    const answer = (await ask(socket, ...event)).at(-1); // with ackTimeout an error stands before it
    if (!answer?.ok)
        throw new Error(`${JSON.stringify(event)}: ${JSON.stringify(answer)}`);
    return answer;
}

export const join = (socket, room) => ok(socket, 'join-room', room);
export const publish = (socket, roomId, fields) => ok(socket, 'message', { roomId, ...fields });

/** The first arguments of the events of that name. */
export const told = (socket, name) => socket.events.filter(event => event[0] === name).map(event => event[1]);
export const texts = socket => told(socket, 'message').map(message => message.text);

/** Waits until that many events of a name came. */
export const receives = (socket, name, count) => until(() => told(socket, name).length >= count,
    () => `${count} × ${name}; got ${JSON.stringify(socket.events).slice(-2000)}`);

export const inState = (socket, state) => until(() => socket.states.includes(state),
    () => `${state}; ${socket.states.join(', ')}`);
