// A hubbub that is installed, in a directory of its own, for what is built outside of the tree.
//
//     const place = await install(t);
//     await place.sh('cc $(pkg-config --cflags hubbub) -c x.c');   // in place.work
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildDir } from './server.mjs';

const COMMAND_TIME = 120_000;

// Every file below a directory, as paths from there.
function filesBelow(directory, prefix = '') {
    return readdirSync(directory, { withFileTypes: true }).flatMap(entry => entry.isDirectory()
        ? filesBelow(join(directory, entry.name), `${prefix}${entry.name}/`) : [prefix + entry.name]);
}

class Place {
    constructor(directory) {
        this.root = join(directory, 'root'); // what would be /
        this.work = join(directory, 'work'); // where a user builds
        mkdirSync(this.work);
        this.files = filesBelow(this.root);
        const pc = this.find(/\/pkgconfig\/hubbub\.pc$/);
        this.env = { ...process.env, PKG_CONFIG_PATH: dirname(pc), PKG_CONFIG_SYSROOT_DIR: this.root };
    }

    /** The path of an installed file, which must be there. */
    find(pattern) {
        const file = this.files.find(name => pattern.test(name));
        assert.ok(file, `${pattern} is installed`);
        return join(this.root, file);
    }

    /** Runs shell commands, which must succeed; gives their output. */
    sh(commands, cwd = this.work) {
        const run = spawnSync('bash', ['-euc', commands],
            { cwd, env: this.env, encoding: 'utf8', timeout: COMMAND_TIME });
        assert.equal(run.status, 0, `${commands}\n${run.stdout}${run.stderr}${run.error ?? ''}`);
        return run.stdout;
    }

    /** A copy of an installed example, to be built; gives its folder. */
    copyExample(name) {
        const to = join(this.work, name);
        cpSync(dirname(this.find(new RegExp(`/examples/${name}/meson.build$`))), to, { recursive: true });
        return to;
    }
}

/** Installs what BUILD_DIR has, until the test ends. */
export async function install(t) {
    const directory = mkdtempSync(join(tmpdir(), 'hubbub-installed-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const run = spawn('meson', ['install', '-C', buildDir, '--no-rebuild', '--quiet',
        '--destdir', join(directory, 'root')], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [run.stdout, run.stderr])
        stream.on('data', chunk => { output += chunk; });
    const code = await new Promise(done => run.on('close', done));
    assert.equal(code, 0, output);
    return new Place(directory);
}

/** The fenced blocks of a Markdown text: [{language, name, text}]. */
export function blocksOf(markdown) {
    return [...markdown.matchAll(/^```(\w+) ?(\S*)\n(.*?)^```$/gms)]
        .map(([, language, name, text]) => ({ language, name, text }));
}
