// A hubbub of the test's own: in a fresh directory, on ports of its own, gone when the test ends.
//
//     const hub = await startHub(t, { rooms: [{ match: '*', join: 'anyone', publish: 'members' }] });
//
// When the test ends, its clients are closed, the server is told to TERM and must exit with 0 and
// without a sanitizer's report; otherwise the test fails, with the end of the server's log.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchHttp } from './http.mjs';
import { freePort, releasePort } from './ports.mjs';
import { scaled, until, within } from './until.mjs';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const buildDir = resolve(process.env.BUILD_DIR ?? join(root, 'build'));
export const binary = resolve(process.env.HUBBUB_BIN ?? join(buildDir, 'hubbub'));
export const workers = Number(process.env.HUBBUB_WORKERS) || 1;

const launcher = (process.env.HUBBUB_LAUNCH ?? '').split(' ').filter(Boolean);
const SANITIZER = /ERROR: (Address|Leak|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error:/;
const LOG_LINES_SHOWN = 40;

let logNumber = 0;

// HUBBUB_LOGS: a folder that keeps every server's log.
function openLog(testName, node) {
    const folder = process.env.HUBBUB_LOGS;
    if (!folder)
        return null;
    mkdirSync(folder, { recursive: true });
    const name = `${basename(process.argv[1] ?? '', '.test.mjs')}-${testName}-${node}-${++logNumber}`;
    return createWriteStream(join(folder, `${name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 120)}.log`));
}

export class Hub {
    constructor(t, options) {
        this.t = t;
        this.options = options;
        this.clients = new Set();
        this.stderr = '';
        this.exit = null; // {code, signal} once it has ended
        this.expectedExit = null;
    }

    get pid() { return this.process.pid; }
    get base() { return `http://127.0.0.1:${this.port}`; }
    get adminBase() { return `http://127.0.0.1:${this.adminPort}`; }

    /** The address of a path on the main listener: hub.url('/hub/ws', 'ws'). */
    url(path, scheme = 'http') { return `${scheme}://127.0.0.1:${this.port}${path}`; }

    /** An HTTP request to the main listener; see fetchHttp. */
    http(path, options) { return fetchHttp(this.base + path, options); }

    /** An HTTP request to the admin listener. */
    admin(path, options) { return fetchHttp(this.adminBase + path, options); }

    adminUrl(path) { return this.adminBase + path; }

    /** POST /api/v1/publish, as an application does. */
    publish(body) { return this.admin('/api/v1/publish', { method: 'POST', body }); }

    /** The sum of a metric's series; `labels` ({transport: 'sse'}) picks among them. */
    async metric(name, labels = {}) {
        const { text } = await this.admin('/metrics');
        const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
        return text.split('\n')
            .filter(line => line.startsWith(name) && /^[{ ]/.test(line.slice(name.length)))
            .filter(line => wanted.every(pair => line.includes(pair)))
            .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    }

    /** Resolves with the first match of `pattern` in the log, from `since` (an earlier log length). */
    logged(pattern, { since = 0, deadline } = {}) {
        return until(() => this.stderr.slice(since).match(pattern), `${pattern} in the log`, deadline);
    }

    configure(config) {
        this.config = config;
        const text = typeof config === 'string' ? config : JSON.stringify(this.complete(config), null, 2);
        writeFileSync(this.configFile, text);
    }

    // What a test does not say: our ports, few workers, a short drain.
    complete(config) {
        return {
            node: this.options.node,
            workers,
            listen: [{ address: '127.0.0.1', port: this.port }],
            admin: { address: '127.0.0.1', port: this.adminPort },
            drain: { timeout: '5s' },
            log: { level: 'info' },
            ...config,
            ...config.admin && { admin: { address: '127.0.0.1', port: this.adminPort, ...config.admin } },
        };
    }

    async prepare(config) {
        this.directory = mkdtempSync(join(tmpdir(), 'hubbub-test-'));
        this.configFile = join(this.directory, 'hubbub.yaml');
        this.port = this.options.port ?? await freePort();
        this.adminPort = this.options.adminPort ?? await freePort();
        this.configure(config);
    }

    /** Starts the process (again, after kill or stop) and waits until it says that it is ready. */
    async start() {
        const [command, ...args] = [...launcher, binary, '-c', this.configFile];
        this.exit = null;
        this.expectedExit = null;
        this.process = spawn(command, args, {
            cwd: this.directory,
            stdio: ['ignore', 'pipe', 'pipe'],
            env: {
                ...process.env, PORT: String(this.port), ADMIN_PORT: String(this.adminPort),
                WORKERS: String(workers), ...this.options.env,
            },
        });
        const log = openLog(this.t.name ?? '', this.options.node);
        for (const stream of [this.process.stdout, this.process.stderr])
            stream.on('data', chunk => {
                this.stderr += chunk;
                log?.write(chunk);
            });
        this.ended = new Promise(done => {
            this.process.once('error', error => {
                this.stderr += `${command}: ${error.message}\n`;
                this.exit ??= { code: null, signal: 'not started' };
                done(this.exit);
            });
            this.process.once('close', (code, signal) => {
                this.exit ??= { code, signal };
                log?.end();
                done(this.exit);
            });
        });
        await until(() => this.isReady(), () => `the server to be ready; its log:\n${this.tail()}`, 20_000);
    }

    async isReady() {
        if (this.exit)
            throw new Error(`the server ended at once (${this.describeExit()}); its log:\n${this.tail()}`);
        const answer = await this.admin('/readyz').catch(() => null);
        return answer?.status === 200;
    }

    describeExit() {
        return this.exit.signal ?? `exit code ${this.exit.code}`;
    }

    tail() {
        return this.stderr.split('\n').slice(-LOG_LINES_SHOWN).join('\n');
    }

    signal(name) {
        this.process.kill(name);
    }

    /** Re-reads the configuration, given anew or not. Wait for its effect with until() or logged(). */
    hup(config) {
        if (config !== undefined)
            this.configure(config);
        this.signal('SIGHUP');
    }

    /** TERM, and an exit with 0. */
    async stop() {
        if (!this.exit)
            this.signal('SIGTERM');
        const exit = await within(this.ended, () => `the server to end; its log:\n${this.tail()}`, 40_000);
        this.expectedExit = exit;
        assert.deepEqual(exit, { code: 0, signal: null }, `the server's end; its log:\n${this.tail()}`);
    }

    /** kill -9, and waits for its end. */
    async kill() {
        this.signal('SIGKILL');
        this.expectedExit = await within(this.ended, 'the killed server to end');
    }

    /** Waits for an end that the test has asked for by other means; gives {code, signal}. */
    async waitExit() {
        this.expectedExit = await within(this.ended, 'the server to end', 40_000);
        return this.expectedExit;
    }

    async finish() {
        try {
            for (const client of this.clients)
                client.terminate();
            if (!this.expectedExit)
                await this.stop();
            const report = SANITIZER.exec(this.stderr);
            assert.ok(!report, report && this.stderr.slice(report.index, report.index + 6000));
        } finally {
            if (!this.exit)
                this.process?.kill('SIGKILL');
            releasePort(this.port);
            releasePort(this.adminPort);
            rmSync(this.directory, { recursive: true, force: true });
            if (this.t.passed === false)
                process.stderr.write(`log of "${this.t.name}":\n${this.tail()}\n`);
        }
    }
}

/**
 * Starts a server for test `t`. config: an object, or a whole file as text, in which ${PORT}, ${ADMIN_PORT} and ${WORKERS} stand
 * for ours. options: {node, port, adminPort, env}.
 */
export async function startHub(t, config = {}, options = {}) {
    const hub = new Hub(t, { node: 'n1', ...options });
    await hub.prepare(config);
    t.after(() => hub.finish(), { timeout: scaled(60_000) });
    await hub.start();
    return hub;
}

/** One server for all tests of a file (or of a describe): called outside of them, it returns at once. */
export function hubForFile(config = {}, options = {}) {
    const hub = new Hub({}, { node: 'n1', ...options });
    before(async () => {
        await hub.prepare(config);
        await hub.start();
    }, { timeout: scaled(60_000) });
    after(() => hub.finish(), { timeout: scaled(60_000) });
    return hub;
}

/** Runs the program with arguments to its end: {code, stdout, stderr}. */
export async function runHub(args, { env, cwd, deadline } = {}) {
    const child = spawn(launcher[0] ?? binary, [...launcher.slice(1), ...launcher.length ? [binary] : [],
        ...args], { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '', stderr = '';
    child.stdout.on('data', chunk => { stdout += chunk; });
    child.stderr.on('data', chunk => { stderr += chunk; });
    const ended = new Promise((done, fail) => {
        child.once('error', fail);
        child.once('close', code => done({ code, stdout, stderr }));
    });
    return within(ended, `hubbub ${args.join(' ')} to end`, deadline).finally(() => child.kill('SIGKILL'));
}

/** Configurations that the source ships, by path from the root of the tree. */
export const shipped = path => join(root, path);
