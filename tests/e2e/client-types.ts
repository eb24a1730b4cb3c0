// Compiled, not run (client.test.mjs): the client as an application in TypeScript uses it.
import { connect, HubError, type Hub, type Message, type Room, type State } from '../../transports/client/hubbub.js';

const hub: Hub = connect('https://example.com', {
    getToken: async () => 'token', transports: ['sse', 'longpoll'], base: '/rt', queue: 10, WebSocket: null,
});
connect();
connect({ token: 'token' });
connect(new URL('https://example.com'));

const off: () => void = hub.on('state', ({ state, transport, error, retryIn }) => {
    const shown: State = state;
    console.log(shown, transport?.length, error?.code === 'unauthorized', retryIn?.toFixed());
});
off();
hub.on('message', (message: Message<{ text: string }>) => message.data.text.trim());
hub.on('gap', ({ room }) => room.length);
hub.on('left', ({ error }) => error.message);
hub.on('bye', ({ delay }) => delay);

async function use() {
    const past = await hub.history('lobby', { limit: 50 });
    const room: Room = await hub.join('lobby', { since: past.cursor, data: { mood: 'fine' } });
    room.on('presence', ({ event, users }) => event === 'sync' && users?.map(({ user }) => user));
    const { cursor, ts } = await room.publish({ text: 'hi' }, { event: 'message', echo: false, key: null });
    const found: { name: string } = await hub.call<{ name: string }>('who', [cursor ?? null, ts]);
    await hub.switchTo('longpoll').catch((error: unknown) => error instanceof HubError && error.retryAfter);
    await hub.refresh();
    await room.leave();
    hub.close();
    return found;
}

// What must not compile.
// @ts-expect-error: no such transport
hub.switchTo('pigeon');
// @ts-expect-error: no such event
hub.on('massage', () => {});
// @ts-expect-error: no function is JSON
hub.publish('lobby', () => {});
// @ts-expect-error: the state is read only
hub.state = 'online';

export { use };
