// The log: one line an event, and nothing in it that must not be known.
import assert from 'node:assert/strict';
import test from 'node:test';
import { connect, refused } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { connectPoll } from './lib/poll.mjs';
import { startHub } from './lib/server.mjs';
import { connectSse } from './lib/sse.mjs';

for (const format of ['text', 'json'])
    test(`no credential of any kind gets into the log (${format})`, async t => {
        const hub = await startHub(t, { log: { level: 'debug', format }, admin: { token: 'the-admin-token' },
            credentials: { cookie: 'sid', query_token: true }, plugins: { load: [{ 'auth-jwt': { secret: SECRET } }] } });
        const tokens = Array.from({ length: 7 }, (_, i) => tokenFor(`user-${i}`));
        const clients = [
            await connect(hub, { token: tokens[0] }),
            await connect(hub, { query: { access_token: tokens[1] } }),
            await connect(hub, { headers: { Cookie: `sid=${tokens[2]}` } }),
            await connect(hub, { protocols: ['hubbub.v1', `hubbub.bearer.${tokens[3]}`] }),
            await connectSse(hub, { token: tokens[4], rooms: ['r'] }),
            await connectPoll(hub, { token: tokens[5], rooms: ['r'] }),
        ];
        const late = await connect(hub, { welcome: false });
        await late.ok({ type: 'auth', token: tokens[6] });
        await refused(hub, 401, { query: { access_token: `${tokens[0]}x` } });
        await hub.admin('/metrics', { headers: { Authorization: 'Bearer the-wrong-token' } });
        for (const client of clients)
            await client.ok({ type: 'publish', room: 'r', data: 1 }).catch(() => {});
        const tickets = clients.map(({ welcome }) => welcome.ticket);
        for (const secret of [...tokens, ...tickets, SECRET, 'the-admin-token', 'the-wrong-token'])
            assert.ok(!hub.stderr.includes(secret), secret);
        const lines = hub.stderr.trim().split('\n').filter(line => !/ready/.test(line));
        assert.ok(lines.length > 3);
        for (const line of lines)
            if (format === 'json')
                assert.ok(JSON.parse(line).event, line);
            else
                assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warn|error) \S+/);
    });
