// A Redis of the test's own, and hubs that share it.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, releasePort } from './ports.mjs';
import { startHub } from './server.mjs';
import { until, within } from './until.mjs';

/** A real redis-server; `args` are more of its options: ['--appendonly', 'yes']. */
export class Redis {
    constructor(port, args) {
        this.port = port;
        this.args = args;
        this.directory = mkdtempSync(join(tmpdir(), 'hubbub-redis-'));
    }

    get url() { return `redis://127.0.0.1:${this.port}`; }

    async start() {
        const [program, ...args] = this.commandLine ?? ['redis-server', '--port', String(this.port), '--bind', '127.0.0.1',
            '--save', '', '--dir', this.directory, '--loglevel', 'warning', ...this.args];
        this.process = spawn(program, args, { stdio: 'ignore' });
        this.ended = new Promise(done => this.process.once('close', done));
        await until(() => this.isReady(), 'redis-server to be ready', 20_000);
    }

    async isReady() {
        try {
            return await this.command('PING') === '+PONG';
        } catch {
            return false;
        }
    }

    /**
     * One command; gives the first line of the answer as it stands on the wire, of strings the string.
     * As `login`, where that is set: [user, password].
     */
    command(...words) {
        const asArray = list => `*${list.length}\r\n${list.map(String).map(word =>
            `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
        return within(new Promise((resolve, reject) => {
            const socket = connectTcp(this.port, '127.0.0.1');
            let answer = '', isIn = !this.login;
            socket.on('error', reject);
            socket.on('data', chunk => {
                answer += chunk;
                if (!isIn && answer.includes('\r\n')) {
                    answer = answer.slice(answer.indexOf('\r\n') + 2);
                    isIn = true;
                }
                const line = answer.indexOf('\r\n');
                if (line < 0)
                    return;
                const length = answer[0] === '$' ? Number(answer.slice(1, line)) : -1;
                if (length > 0 && answer.length < line + 2 + length + 2)
                    return;
                socket.destroy();
                resolve(length >= 0 ? answer.slice(line + 2, line + 2 + length) : answer.slice(0, line));
            });
            socket.write((this.login ? asArray(['AUTH', ...this.login]) : '') + asArray(words));
        }), () => `redis' answer to ${words.join(' ').slice(0, 100)}`);
    }

    signal(name) { this.process.kill(name); }

    async kill() {
        this.signal('SIGKILL');
        await this.ended;
    }

    async finish() {
        this.process.kill('SIGCONT');
        this.process.kill('SIGKILL');
        await this.ended;
        releasePort(this.port);
        rmSync(this.directory, { recursive: true, force: true });
    }
}

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

export async function startRedis(t, ...args) {
    const redis = new Redis(await freePort(), args);
    t.after(() => redis.finish());
    await redis.start();
    return redis;
}

const ROOMS = [{ match: '*', join: 'anyone', publish: 'members', history: { messages: 1000, age: '1h' } }];

/** A Sentinel that watches a master, under the name mymaster. */
export async function startSentinel(t, master) {
    const sentinel = new Redis(await freePort(), []);
    const file = join(sentinel.directory, 'sentinel.conf');
    writeFileSync(file, [`port ${sentinel.port}`, 'bind 127.0.0.1', `dir ${sentinel.directory}`,
        `sentinel monitor mymaster 127.0.0.1 ${master.port} 1`, 'sentinel down-after-milliseconds mymaster 500',
        'sentinel failover-timeout mymaster 3000', ''].join('\n'));
    sentinel.commandLine = ['redis-server', file, '--sentinel'];
    t.after(() => sentinel.finish());
    await sentinel.start();
    return sentinel;
}

/** n hubs over one Redis (or what stands before it): nodes n1, n2, … */
export async function startCluster(t, redis, n, { plugins = [], directories, options = {}, urls = [], ...config } = {}) {
    const hubs = [];
    for (let i = 0; i < n; i++)
        hubs.push(await startHub(t, {
            rooms: ROOMS,
            plugins: {
                ...directories && { directories },
                load: [...plugins, { redis: {
                    url: urls[i] ?? redis.url, prefix: 'test', timeout: '1s', check: '500ms',
                    backoff: { min: '20ms', max: '200ms' }, ...options,
                } }],
            },
            ...config,
        }, { node: `n${i + 1}` }));
    return hubs;
}

/**
 * A TCP proxy before a server. cut(): breaks all connections; refuse: takes no new ones; stall: bytes
 * lie still; filter(chunk): what comes from the server, changed.
 */
export class Proxy {
    constructor(to) {
        this.to = to;
        this.pairs = new Set();
        this.refuse = this.stall = false;
        this.filter = chunk => chunk;
    }

    get url() { return `redis://127.0.0.1:${this.port}`; }

    async listen() {
        this.port = await freePort();
        this.server = createServer(client => this.join(client));
        await new Promise(done => this.server.listen(this.port, '127.0.0.1', done));
    }

    join(client) {
        if (this.refuse) {
            client.destroy();
            return;
        }
        const server = connectTcp(this.to, '127.0.0.1');
        const pair = { client, server };
        this.pairs.add(pair);
        const end = () => {
            this.pairs.delete(pair);
            client.destroy();
            server.destroy();
        };
        for (const socket of [client, server]) {
            socket.on('error', end);
            socket.on('close', end);
        }
        client.on('data', chunk => this.stall || server.write(chunk));
        server.on('data', chunk => {
            const passed = this.stall ? null : this.filter(chunk, pair);
            if (passed?.length)
                client.write(passed);
        });
    }

    cut() {
        for (const { client, server } of [...this.pairs]) {
            client.destroy();
            server.destroy();
        }
    }
}

export async function startProxy(t, to) {
    const proxy = new Proxy(to);
    await proxy.listen();
    t.after(() => {
        proxy.cut();
        proxy.server.close();
        releasePort(proxy.port);
    });
    return proxy;
}
