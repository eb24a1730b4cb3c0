// Socket.IO against hubbub's own protocol, both over WebSocket: at most 1.2 times the CPU time of a
// delivery (with recovery, as by default, and without), at most 2 KB resident for an idle connection.
import { compare, fanout, FANOUT_HEAD, idleBytes, MEMBERS, printFanout, ratio, SOCKETIO, startHubbub, WITH_USERS,
    withCleanup } from './rig.mjs';

const measure = (window, transports, ...more) => withCleanup(async t =>
    fanout(await startHubbub(t, { transports }), window, ...more));

/** hubbub as a server of Socket.IO. */
export const measureSocketio = (window, options = {}) => measure(window, { socketio: options }, ...SOCKETIO);

export const socketioMemory = () => withCleanup(async t =>
    idleBytes(t, await startHubbub(t, { transports: { socketio: {} }, ...WITH_USERS }), 'Socket.IO WebSockets', ...SOCKETIO));

export async function compareProtocols() {
    console.log(`fan-out to ${MEMBERS} members, 128 bytes of data; µs of server CPU per delivery\n${FANOUT_HEAD}`);
    for (const window of [1, 8]) {
        const results = await compare({
            own: () => measure(window, { websocket: {} }),
            'socketio': () => measureSocketio(window),
            'no recovery': () => measureSocketio(window, { recovery: 0 }),
        });
        printFanout(window, results);
        console.log(`${String(window).padStart(11)}  socketio / own: total ${ratio(results.socketio, results.own)}, `
            + `without recovery ${ratio(results['no recovery'], results.own)}`);
    }
    await socketioMemory();
}
