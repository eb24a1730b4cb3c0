// The examples of transports/PROTOCOL.md, as they stand there, against the server.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { open } from './lib/client.mjs';
import { root, startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

// [{kind, heading, lines}] of the fenced http and ws blocks.
function examples(text) {
    const found = [];
    let heading = '', block = null;
    for (const line of text.split('\n')) {
        const [, name] = /^## (.*)/.exec(line) ?? [];
        heading = name ?? heading;
        if (block && line === '```')
            block = null;
        else if (block)
            block.lines.push(line);
        else if (/^```(http|ws)$/.test(line))
            found.push(block = { kind: line.slice(3), heading, lines: [] });
    }
    return found;
}

const escape = text => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

// Matches a line against one of the document, with `…` and $NAME; remembers names.
function matches(pattern, line, names) {
    const wanted = [];
    const source = escape(pattern.replace(/\s+$/, '')).replace(/…/g, '.*').replace(/\\\$([A-Z]+)/g, (_, name) => {
        if (name in names)
            return escape(names[name]);
        if (wanted.includes(name))
            return `\\k<${name}>`;
        wanted.push(name);
        return `(?<${name}>[^"&\\s]+)`;
    });
    const match = new RegExp(`^${source}$`).exec(line);
    if (match)
        wanted.forEach(name => { names[name] = match.groups[name]; });
    return match !== null;
}

const fill = (line, names) => line.replace(/\$([A-Z]+)/g, (_, name) => names[name]);

// A connection whose lines are waited for one after the other.
class Lines {
    constructor(hub) {
        this.lines = [];
        this.rest = '';
        this.socket = connectTcp(hub.port, '127.0.0.1');
        this.socket.on('error', () => {});
        this.socket.on('data', chunk => {
            const lines = (this.rest + chunk).split(/\r?\n/);
            this.rest = lines.pop();
            this.lines.push(...lines);
        });
    }

    // The last line of a body has no end.
    expect(pattern, names) {
        return until(() => {
            const at = this.lines.findIndex(line => matches(pattern, line, names));
            if (at >= 0) {
                this.lines.splice(0, at + 1);
                return true;
            }
            if (!matches(pattern, this.rest, names))
                return false;
            this.rest = '';
            return true;
        }, () => `the line\n${fill(pattern, { ...names })}\nin\n${this.lines.join('\n')}\n${this.rest}`);
    }
}

async function runHttp(t, lines) {
    const names = {}, opened = [];
    t.after(() => opened.forEach(one => one.socket.destroy()));
    const hub = await startHub(t);
    let sending = null;
    for (const line of lines) {
        const [, arrow, rest] = /^(>|<<|<) ?(.*)$/.exec(line);
        if (arrow === '>') {
            sending ??= [];
            sending.push(fill(rest, names));
            continue;
        }
        if (sending) {
            const end = sending.indexOf('');
            assert.ok(end > 0, 'a request has a blank line');
            opened.push(new Lines(hub));
            opened.at(-1).socket.write(`${sending.slice(0, end).join('\r\n')}\r\n\r\n${sending.slice(end + 1).join('\n')}`);
            sending = null;
        }
        await (arrow === '<<' ? opened[0] : opened.at(-1)).expect(rest, names);
    }
}

async function runWs(t, lines) {
    const hub = await startHub(t, {
        rooms: [{ match: 'lobby', join: 'anyone', publish: 'anyone', history: { messages: 10, age: '1m' } },
            { match: '*', join: 'anyone', publish: 'nobody' }],
    });
    const { client } = await open(hub);
    const got = [];
    client.socket.on('message', data => got.push(data.toString()));
    got.push(...client.received.map(message => JSON.stringify(message)));
    for (const line of lines) {
        const [, arrow, rest] = /^([<>]) (.*)$/.exec(line);
        if (arrow === '>') {
            client.send(rest);
            continue;
        }
        await until(() => got.length > 0, () => rest);
        const message = got.shift();
        assert.ok(matches(rest, message, {}), `${message}\nis not\n${rest}`);
    }
}

const found = examples(readFileSync(join(root, 'transports/PROTOCOL.md'), 'utf8'));

test('the document has examples of each transport', () => {
    for (const heading of ['Requests', 'WebSocket', 'Server-sent events', 'Long polls'])
        assert.ok(found.some(example => example.heading === heading), heading);
});

for (const [i, { kind, heading, lines }] of found.entries())
    test(`example ${i + 1} of PROTOCOL.md, ${kind}, under "${heading}"`, t =>
        kind === 'http' ? runHttp(t, lines) : runWs(t, lines));
