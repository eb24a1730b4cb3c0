// minutes: 8
// Five thousand clients behind HAProxy and two nodes; one node is told to go, under load.
//
// DRAIN_CLIENTS  how many in all (default 5000)
import assert from 'node:assert/strict';
import test from 'node:test';
import { exodus } from '../e2e/lib/exodus.mjs';
import { hasRedis } from '../e2e/lib/redis.mjs';

const ALL = Number(process.env.DRAIN_CLIENTS) || 5000;
const SPREAD_S = 20;
const part = share => Math.round(ALL * share);

test(`${ALL} clients of every transport move to the other node: nothing is lost, no crowd at its door`,
    { skip: !hasRedis && 'no Redis' }, async t => {
        const got = await exodus(t, {
            counts: { websocket: part(0.84), sse: part(0.05), longpoll: part(0.04), socketio: part(0.07) },
            drain: { timeout: '40s', delay: '3s', spread: `${SPREAD_S}s` }, writers: 12, every: 300,
        });
        const pace = got.left / SPREAD_S;
        const most = got.peak(3000);
        t.diagnostic(`${got.left} sessions left within ${(got.took / 1000).toFixed(1)} s, ${got.returned} members came back; `
            + `pace ${pace.toFixed(0)}/s, peak ${most.toFixed(0)}/s over 3 s, ${got.peak(1000).toFixed(0)}/s over 1 s; `
            + `${got.written} messages, heard ${got.heard} times, none lost; ${got.fresh} Socket.IO clients told to begin anew`);
        assert.deepEqual(got.exit, { code: 0, signal: null });
        assert.equal(got.cutOff, false, 'it ended in time');
        assert.ok(most <= 1.2 * pace, `${most} a second at the other node's door, the pace is ${pace}`);
    });
