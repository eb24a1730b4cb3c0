// lint.mjs BUILD_DIR: rules of the tree that no compiler checks; TAP, one test to a rule.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const buildDir = resolve(process.argv[2] ?? join(root, 'build'));

const RANKS = { base: 0, conf: 1, out: 2, room: 3, router: 4, session: 5, plugin: 6, server: 7, admin: 8, cli: 9 };
const LONGEST_FUNCTION = 100;
const LONGEST_FILE = 900;
const NAMED_OUTSIDE_CORE = /\b(websocket|sse|longpoll|socketio|socket\.io|redis)\b/i;
// Written so that this file does not contain what it looks for.
const MACHINE_PATH = /(^|[^A-Za-z0-9_.])\/(work|farm|root|home\/[a-z]+)\/|\/tmp\/build-[a-z]|farm[-]studio/;
const REGISTRY = /(registry\.npmjs|registry\.yarnpkg|deb\.debian|proxy\.golang|pypi)\.org|"resolved"\s*:/;

function run(command, args, options = {}) {
    const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
    if (result.error)
        throw result.error;
    return result;
}

// What git knows, deletions that are not committed yet aside; every file where there is no git.
function listFiles() {
    const git = run('git', ['-c', 'safe.directory=*', '-C', root, 'ls-files', '-z']);
    const found = git.status === 0 ? git.stdout
        : run('find', ['.', '-type', 'f', '-not', '-path', '*/node_modules/*', '-not', '-path',
            './build*', '-not', '-path', './.git/*', '-printf', '%P\\0'], { cwd: root }).stdout;
    return found.split('\0').filter(file => file && existsSync(join(root, file)));
}

const files = listFiles();
const read = file => readFileSync(join(root, file), 'utf8');
const isC = file => /\.[ch]$/.test(file);
const inCore = file => file.startsWith('core/') && isC(file);
const isPublic = file => file.startsWith('core/include/');

function* linesOf(file) {
    let number = 0;
    for (const text of read(file).split('\n'))
        yield { text, where: `${file}:${++number}` };
}

function* includesOf(file) {
    for (const { text, where } of linesOf(file)) {
        const match = /^\s*#\s*include\s*([<"])([^>"]+)[>"]/.exec(text);
        if (match)
            yield { where, quoted: match[1] === '"', name: match[2] };
    }
}

// The file of the tree that a quoted include names: beside the includer, or from core/.
function resolveInclude(file, name) {
    return [join(dirname(file), name), join('core', name)].find(path => existsSync(join(root, path)));
}

const folderOf = file => file.split('/')[1];

function rankFault(file, include) {
    const target = resolveInclude(file, include.name);
    if (!target || !target.startsWith('core/'))
        return 'no file of core/';
    const from = folderOf(file), to = folderOf(target);
    if (from === to || isPublic(target))
        return null;
    if (isPublic(file))
        return 'a public header includes public headers only';
    if (!(to in RANKS))
        return `${to}/ has no rank`;
    const main = !(from in RANKS); // main.c stands above them all
    return main || RANKS[to] < RANKS[from] ? null : `${to}/ is no lower rank than ${from}/`;
}

function includeRanks() {
    const faults = [];
    for (const file of files.filter(inCore))
        for (const include of includesOf(file)) {
            const fault = include.quoted && rankFault(file, include);
            if (fault)
                faults.push(`${include.where}: "${include.name}": ${fault}`);
        }
    return faults;
}

function h2oInServerOnly() {
    const faults = [];
    for (const file of files.filter(isC).filter(file => !file.startsWith('core/server/')))
        for (const include of includesOf(file))
            if (/^h2o(\.h$|\/)/.test(include.name))
                faults.push(`${include.where}: <${include.name}>`);
    return faults;
}

// Plugins and transports reach hubbub through the public headers alone.
function modulesUsePublicHeaders() {
    const faults = [];
    const modules = files.filter(file => /^(plugins|transports)\//.test(file)).filter(isC);
    for (const file of modules)
        for (const include of includesOf(file)) {
            if (!include.quoted)
                continue;
            const target = join(dirname(file), include.name);
            const [kind, name] = file.split('/');
            if (!target.startsWith(`${kind}/${name}`) && !target.startsWith(`${kind}/common`))
                faults.push(`${include.where}: "${include.name}"`);
        }
    return faults;
}

function coreNamesNoTransport() {
    const faults = [];
    for (const file of files.filter(inCore).filter(file => !isPublic(file)))
        for (const { text, where } of linesOf(file))
            if (NAMED_OUTSIDE_CORE.test(text))
                faults.push(`${where}: ${text.trim()}`);
    return faults;
}

function compilesAlone(compiler, args) {
    const faults = [];
    for (const header of files.filter(file => isPublic(file) && file.endsWith('.h'))) {
        const result = run(compiler, [...args, '-Wall', '-Wextra', '-Werror', '-fsyntax-only',
            '-I', join(root, 'core/include'), '-include', join(root, header), '-'],
        { input: '' });
        if (result.status !== 0)
            faults.push(`${header}: ${result.stderr.trim()}`);
    }
    return faults;
}

const exportsOf = file => run('nm', ['-D', '--defined-only', file]).stdout.split('\n')
    .filter(line => / [A-Z] /.test(line)).map(line => line.trim().split(/\s+/)[2]);

// Symbols of libraries that the linker copied into the executable carry the library's version.
function executableExportsNothing() {
    const executable = join(buildDir, 'hubbub');
    const faults = existsSync(executable) ? [] : ['it was not built'];
    for (const symbol of exportsOf(executable))
        if (!symbol.includes('@'))
            faults.push(symbol);
    return faults;
}

function builtModules() {
    const found = run('find', [join(buildDir, 'transports'), join(buildDir, 'plugins'), '-name',
        '*.so', '-type', 'f']);
    return found.stdout.split('\n').filter(Boolean);
}

function modulesExportOneSymbol() {
    const modules = builtModules();
    const faults = modules.length > 0 ? [] : ['no module was built'];
    for (const file of modules) {
        const symbols = exportsOf(file);
        if (symbols.join(' ') !== 'hubbub_module')
            faults.push(`${relative(buildDir, file)}: ${symbols.join(' ') || 'nothing'}`);
    }
    return faults;
}

// A function's body opens and closes in the first column.
function* functionsOf(file) {
    let start = 0, number = 0, previous = '', name = '';
    for (const text of read(file).split('\n')) {
        number++;
        if (text === '{') {
            start = number;
            name = previous;
        } else if (start && /^\}/.test(text)) {
            yield { lines: number - start - 1, where: `${file}:${start}`, name };
            start = 0;
        } else if (!/^\s/.test(text)) {
            previous = text;
        }
    }
}

function functionsAreShort() {
    const faults = [];
    for (const file of files.filter(isC))
        for (const { lines, where, name } of functionsOf(file))
            if (lines > LONGEST_FUNCTION)
                faults.push(`${where}: ${lines} lines: ${name}`);
    return faults;
}

function filesAreShort() {
    const faults = [];
    for (const file of files.filter(file => /\.(c|h|m?js|ts|sh|py|html|css|build)$/.test(file))) {
        const lines = read(file).split('\n').length - 1;
        if (lines > LONGEST_FILE)
            faults.push(`${file}: ${lines} lines`);
    }
    return faults;
}

const isText = file => !readFileSync(join(root, file)).includes(0);

function nothingLocal(pattern) {
    const faults = [];
    for (const file of files.filter(isText))
        for (const { text, where } of linesOf(file))
            if (pattern.test(text))
                faults.push(`${where}: ${text.trim().slice(0, 120)}`);
    return faults;
}

// Versions of packages are exact: what passed today is what runs tomorrow.
function packagesAreExact() {
    const faults = [];
    for (const file of files.filter(file => basename(file) === 'package.json')) {
        const { dependencies = {}, devDependencies = {} } = JSON.parse(read(file));
        for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
            if (!/^\d+\.\d+\.\d+([-+].+)?$/.test(version))
                faults.push(`${file}: ${name} ${version}`);
    }
    return faults;
}

const rules = {
    'a file of core includes its own folder, lower ranks and the public headers': includeRanks,
    'only core/server includes the headers of h2o': h2oInServerOnly,
    'plugins and transports include nothing of core but the public headers': modulesUsePublicHeaders,
    'core names no transport and no backend': coreNamesNoTransport,
    'each public header compiles alone as C17': () =>
        compilesAlone('gcc', ['-std=c17', '-pedantic', '-x', 'c']),
    'each public header compiles alone as C++17': () =>
        compilesAlone('clang', ['-std=c++17', '-x', 'c++']),
    'the executable exports no symbol': executableExportsNothing,
    'each module exports hubbub_module and nothing else': modulesExportOneSymbol,
    [`no function is longer than ${LONGEST_FUNCTION} lines`]: functionsAreShort,
    [`no file is longer than ${LONGEST_FILE} lines`]: filesAreShort,
    'no path of a machine is in the tree': () => nothingLocal(MACHINE_PATH),
    'no address of a package registry is in the tree': () => nothingLocal(REGISTRY),
    'packages are named by exact versions': packagesAreExact,
};

let number = 0, failed = 0;
console.log(`1..${Object.keys(rules).length}`);
for (const [name, rule] of Object.entries(rules)) {
    const faults = rule();
    failed += faults.length > 0;
    console.log(`${faults.length > 0 ? 'not ' : ''}ok ${++number} - ${name}`);
    for (const fault of faults)
        console.log(fault.replace(/^/gm, '#   '));
    if (faults.length > 0)
        process.stderr.write(`    ${name}:\n${faults.slice(0, 20).join('\n').replace(/^/gm, '      ')}\n`);
}
process.exit(failed > 0 ? 1 : 0);
