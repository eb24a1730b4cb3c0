// minutes: 6
// Clients of Socket.IO whose network fails in every way it can: cut at random, in the middle of frames,
// in either direction, or silent until somebody gives up. HUBBUB_ROUNDS: how often (default 5),
// HUBBUB_SEED: the first round's.
import test from 'node:test';
import { cutAtAnyMoment, disturbed } from '../e2e/lib/sio-cut.mjs';

const ROUNDS = Number(process.env.HUBBUB_ROUNDS) || 5;
const SEED = Number(process.env.HUBBUB_SEED) || Date.now() % 1e9;
const CONFIG = { rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 1000, age: '5m' } }] };

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed) {
    let state = seed >>> 0;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** After a message: mostly nothing, or one kind of fault for some of the connections. */
function faults(random) {
    const some = () => random() < 0.4;
    const kinds = [
        relay => relay.cut(),
        relay => relay.cut(some),
        relay => relay.cutWithin(some, 1 + Math.floor(random() * 300)),
        relay => relay.stall(some, random() < 0.5 ? 'in' : 'out'),
        relay => relay.refuse(true) || pause(random() * 50).then(() => relay.refuse(false)),
        () => pause(random() * 30),
    ];
    return async relay => {
        if (random() < 0.12)
            await kinds[Math.floor(random() * kinds.length)](relay);
    };
}

for (const workers of [1, 4])
    for (let round = 0; round < ROUNDS; round++) {
        test(`${workers} workers: cut at any moment, round ${round}`, t =>
            cutAtAnyMoment(t, { config: { ...CONFIG, workers }, messages: 400, cuts: 8 }));

        test(`${workers} workers: faults at random, seed ${SEED + round}`, t =>
            disturbed(t, { config: { ...CONFIG, workers }, messages: 400, seconds: 60,
                disturb: faults(randomOf(SEED + round)) }));
    }
