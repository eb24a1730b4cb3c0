// meson-tap.mjs BUILD_DIR [FILTER…]: runs the meson tests whose name or suite contains a FILTER
// and prints their TAP. A test that prints none counts as one, by its exit status; one that ended
// badly without a failing line is a failure of its own.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [buildDir, ...filters] = process.argv.slice(2);
const log = join(buildDir, 'meson-logs', 'testlog.json');
const wanted = test => filters.length === 0
    || filters.some(f => test.name.includes(f) || test.suite.some(s => s.includes(f)));

function meson(args) {
    const run = spawnSync('meson', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    if (run.error)
        throw run.error;
    return run;
}

// The log's names are "project:suite / name".
const shortName = name => name.split(' / ').pop();

function printTest({ name, result, stdout = '', stderr = '' }) {
    const failed = !['OK', 'EXPECTEDFAIL', 'SKIP'].includes(result);
    const tap = stdout.split('\n').filter(line => /^\s*((not )?ok\b|1\.\.|#|Bail out)/.test(line));
    const results = tap.filter(line => /^\s*(not )?ok\b/.test(line));
    console.log(`# file: ${shortName(name)}`);
    for (const line of tap)
        console.log(line);
    if (results.length === 0)
        console.log(`${failed ? 'not ' : ''}ok 1 - ${shortName(name)}`
            + (result === 'SKIP' ? ' # SKIP' : failed ? ` (${result})` : ''));
    else if (failed && !results.some(line => /^\s*not ok\b/.test(line)))
        console.log(`not ok ${results.length + 1} - the program ended well (${result})`);
    if (failed)
        for (const line of `${stdout}\n${stderr}`.split('\n').slice(-60))
            console.log(`#   ${line}`);
    process.stderr.write(`    ${shortName(name)}: ${result}\n`);
}

const tests = JSON.parse(meson(['introspect', '--tests', buildDir]).stdout);
const names = tests.filter(wanted).map(test => test.name);
if (names.length > 0) {
    rmSync(log, { force: true });
    const run = meson(['test', '-C', buildDir, '--no-rebuild', ...new Set(names)]);
    if (!existsSync(log)) {
        console.log(`Bail out! meson test: ${run.stderr || run.stdout}`);
        process.exit(1);
    }
    for (const line of readFileSync(log, 'utf8').split('\n').filter(Boolean))
        printTest(JSON.parse(line));
}
