// Benchmarks, each by ratios within one run (rig.mjs says how, and what the environment chooses):
//
//     node tests/bench/bench.mjs [fanout] [memory] [socketio] [peers] [scrape] [sizing]      without any: the first three
//
// fanout    CPU time of a delivery, against a program that does nothing but send() (baseline_fanout.c)
// memory    an idle WebSocket
// socketio  the same of Socket.IO, against hubbub's own protocol
// sizing    idle clients of every transport, with and without TLS, and what they take of the kernel
// scrape    a scrape of /metrics and the dashboard's requests, and whether they disturb deliveries
// peers     the same of Socket.IO, against the server that it comes from (npm installs it)
import { benchProgram, compare, fanout, FANOUT_HEAD, idleBytes, MEMBERS, printFanout, ratio, startHubbub, startOther,
    WITH_USERS, withCleanup } from './rig.mjs';

const measureHubbub = window => withCleanup(async t =>
    fanout(await startHubbub(t, { transports: { websocket: {} } }), window));

/** The bare program sends as many bytes for each delivery as hubbub did. */
const measureBaseline = (window, frameBytes) => withCleanup(async t => {
    const server = await startOther(t, benchProgram('bench_baseline'), ['$PORT', frameBytes + 4]);
    return fanout(server, window, '--raw', '--size', frameBytes);
});

async function compareFanout() {
    console.log(`fan-out to ${MEMBERS} members, 128 bytes of data; µs of server CPU per delivery\n${FANOUT_HEAD}`);
    for (const window of [1, 8]) {
        let frameBytes;
        const results = await compare({
            hubbub: async () => {
                const result = await measureHubbub(window);
                frameBytes = result.frameBytes;
                return result;
            },
            baseline: () => measureBaseline(window, frameBytes),
        });
        printFanout(window, results);
        const { hubbub, baseline } = results;
        console.log(`${String(window).padStart(11)}  hubbub / baseline: total ${ratio(hubbub, baseline)}, `
            + `user above the baseline's ${(hubbub.user - baseline.user).toFixed(3)} µs`);
    }
}

const measureMemory = () => withCleanup(async t => {
    await idleBytes(t, await startHubbub(t, { transports: { websocket: {} }, ...WITH_USERS }), 'WebSockets');
});

const benches = {
    fanout: compareFanout,
    memory: measureMemory,
    socketio: async () => (await import('./socketio.mjs')).compareProtocols(),
    scrape: async () => (await import('./scrape.mjs')).measureScrapes(),
    sizing: async () => (await import('./sizing.mjs')).measureSizing(),
    peers: async () => (await import('./peers.mjs')).comparePeers(),
};

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : ['fanout', 'memory', 'socketio'])
    if (benches[name]) {
        await benches[name]();
    } else {
        console.error(`no benchmark ${name}; there are: ${Object.keys(benches).join(', ')}`);
        process.exit(2);
    }
process.exit();
