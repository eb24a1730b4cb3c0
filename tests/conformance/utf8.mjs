// Byte sequences in hexadecimal that a text message may and may not consist of, after Markus Kuhn's
// "UTF-8 decoder capability and stress test", RFC 3629 and sections 6.5 to 6.23 of Autobahn's suite.

const KOSME = 'cebae1bdb9cf83cebcceb5'; // κόσμε
const KOSME_ENDS = [2, 5, 7, 9, 11];    // where its characters end

const hex = text => Buffer.from(text).toString('hex');
const byte = value => value.toString(16).padStart(2, '0');
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => byte(first + i));
const each = (prefix, list) => list.map(sequence => prefix + sequence);

const prefixes = Array.from({ length: 11 }, (_, i) => i + 1);
const prefix = length => KOSME.slice(0, 2 * length);

const noncharacters = Array.from({ length: 17 }, (_, plane) => plane)
    .flatMap(plane => [0xfffe, 0xffff].map(low => hex(String.fromCodePoint(plane * 0x10000 + low))));

const incomplete = ['c0', 'e080', 'f08080', 'f8808080', 'fc80808080', 'df', 'efbf', 'f7bfbf',
    'fbbfbfbf', 'fdbfbfbfbf'];

const surrogates = ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf'];

export const valid = {
    'whole characters': prefixes.filter(n => KOSME_ENDS.includes(n)).map(prefix),
    'the first character of each length': ['00', 'c280', 'e0a080', 'f0908080'],
    'the last character of each length': ['7f', 'dfbf', 'efbfbf', 'f48fbfbf'],
    'neighbours of the surrogates, and the last of all': ['ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf'],
    'noncharacters': noncharacters,
    'specials': ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbbbf'],
};

export const invalid = {
    'a character cut short at the end': prefixes.filter(n => !KOSME_ENDS.includes(n)).map(prefix),
    'five and six bytes, the first': ['f888808080', 'fc8480808080'],
    'past the last character': ['f4908080', 'f5808080', 'f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf'],
    'continuation bytes alone': ['80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80',
        '80bf80bf80bf', range(0x80, 0xbf).join('')],
    'start bytes alone': [range(0xc0, 0xdf), range(0xe0, 0xef), range(0xf0, 0xf7), range(0xf8, 0xfb),
        ['fc', 'fd']].map(starts => starts.map(start => start + '20').join('')),
    'the last continuation byte missing': incomplete,
    'incomplete ones in a row': [incomplete.join('')],
    'bytes that never occur': ['fe', 'ff', 'fefeffff'],
    'overlong slashes': ['c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af'],
    'the longest overlong ones': ['c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf'],
    'overlong zeros': ['c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080'],
    'single surrogates': surrogates,
    'paired surrogates': ['eda080', 'edadbf', 'edae80', 'edafbf'].flatMap(high =>
        each(high, ['edb080', 'edbfbf'])),
    'a fault after good text': each(hex('Hello-µ@ßöäüàá-UTF-8!!'), ['eda080', 'ff', 'c3']),
};
