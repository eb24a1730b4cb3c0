// run-files.mjs DIRECTORY [FILTER…]: runs the *.test.mjs files in DIRECTORY whose name contains a
// FILTER, a few at a time (TEST_JOBS, default one per core), each in a process of its own, and
// prints their TAP one after the other. A file that crashes, hangs or tests nothing is a failure.
// A file that needs longer than 3 minutes says so in a comment of its own: "// minutes: 5".
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

const [directory, ...filters] = process.argv.slice(2);
const jobs = Number(process.env.TEST_JOBS) || (availableParallelism?.() ?? cpus().length);
const scale = Number(process.env.HUBBUB_TIME_SCALE) || 1;

const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM'])
    process.on(signal, () => {
        running.forEach(killGroup);
        process.exit(1);
    });

// A file's process leads a group, the servers that it started belong to it.
function killGroup(child) {
    try {
        process.kill(-child.pid, 'SIGKILL');
    } catch {
        // it has ended
    }
}

function timeLimit(file) {
    const comment = /^\/\/ minutes: (\d+)/m.exec(readFileSync(join(directory, file), 'utf8'));
    return Number(comment?.[1] ?? 3) * 60_000 * scale;
}

function runFile(file) {
    const started = Date.now();
    const child = spawn(process.execPath, ['--test-reporter=tap', join(directory, file)],
        { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    running.add(child);
    const output = [], errors = [];
    child.stdout.on('data', chunk => output.push(chunk));
    child.stderr.on('data', chunk => errors.push(chunk));
    let late = false;
    const timer = setTimeout(() => {
        late = true;
        killGroup(child);
    }, timeLimit(file));
    return new Promise(resolve => child.on('close', (code, signal) => {
        clearTimeout(timer);
        killGroup(child);
        running.delete(child);
        resolve({
            file, code, signal, late, seconds: (Date.now() - started) / 1000,
            tap: Buffer.concat(output).toString(), errors: Buffer.concat(errors).toString(),
        });
    }));
}

function report({ file, code, signal, late, seconds, tap, errors }) {
    const lines = tap.split('\n');
    const good = lines.filter(line => /^\s*ok\b/.test(line)).length;
    const bad = lines.filter(line => /^\s*not ok\b/.test(line)).length;
    console.log(`# file: ${file}`);
    console.log(tap);
    if (late)
        console.log('not ok - ends in time');
    else if (code !== 0 && bad === 0)
        console.log(`not ok - ends well (${signal ?? `exit code ${code}`})`);
    else if (good + bad === 0)
        console.log('not ok - tests something');
    for (const line of errors.split('\n').filter(Boolean).slice(-200))
        console.log(`#   ${line}`);
    const verdict = code === 0 && good > 0 ? 'ok' : 'FAILED';
    process.stderr.write(`    ${file}: ${verdict} (${seconds.toFixed(1)} s)\n`);
}

const waiting = readdirSync(directory)
    .filter(file => file.endsWith('.test.mjs'))
    .filter(file => filters.length === 0 || filters.some(filter => file.includes(filter)))
    .sort();

async function worker() {
    while (waiting.length > 0)
        report(await runFile(waiting.shift()));
}
await Promise.all(Array.from({ length: jobs }, worker));
