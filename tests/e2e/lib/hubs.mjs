// The client as a browser has it (transports/client), in Node, for tests that watch what it tells.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { connect, HubError } from '../../../transports/client/hubbub.js';
import { until, within } from './until.mjs';

export const TRANSPORTS = ['websocket', 'sse', 'longpoll'];
const FAST = { WebSocket, minDelay: 10, maxDelay: 100, openTimeout: 2_000 };

/** A hub on a server or mock, closed when the test ends; `log` is all that it told, in order. */
export function open(t, server, options = {}) {
    const hub = connect(server.base, { ...FAST, ...options });
    hub.log = [];
    for (const type of ['state', 'message', 'presence', 'joined', 'gap', 'left', 'error', 'bye'])
        hub.on(type, event => hub.log.push({ type, ...event, event: event.event }));
    t.after(() => hub.close());
    return hub;
}

export const texts = hub => hub.log.filter(({ type }) => type === 'message').map(({ data }) => data);
export const states = hub => hub.log.filter(({ type }) => type === 'state').map(({ state }) => state);
export const told = (hub, type) => hub.log.filter(event => event.type === type);
export const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Resolves with the next event that matches. */
export function next(hub, type, matches = () => true) {
    return within(new Promise(resolve => {
        const stop = hub.on(type, event => {
            if (!matches(event))
                return;
            stop();
            resolve(event);
        });
    }), () => `${type}; told: ${JSON.stringify(hub.log.slice(-8))}`);
}

export const inState = (hub, state) => hub.state === state ? hub : next(hub, 'state', event => event.state === state);
export const received = (hub, count) => until(() => texts(hub).length >= count,
    () => `${count} messages, got ${JSON.stringify(texts(hub))}`);
export const fails = (promise, code) => assert.rejects(within(promise, code), error => {
    assert.ok(error instanceof HubError, error.stack);
    assert.equal(error.code, code);
    return true;
});
