// Deadlines. Tests wait for events, never for time; the deadlines only say when to give up, so they
// are generous, and longer where sanitizers slow the server down (HUBBUB_TIME_SCALE).

const scale = Number(process.env.HUBBUB_TIME_SCALE) || 1;

export const DEADLINE_MS = 10_000;

export const scaled = ms => ms * scale;

/** The promise's result, or an error that names what was waited for. `what`: text or a function. */
export function within(promise, what, ms = DEADLINE_MS) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => {
            const text = typeof what === 'function' ? what() : what;
            reject(new Error(`waited ${scaled(ms)} ms for ${text}`));
        }, scaled(ms));
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `probe` (may be async) again and again until it gives something true; gives that. */
export async function until(probe, what, ms = DEADLINE_MS, every = 20) {
    const end = performance.now() + scaled(ms);
    for (;;) {
        const result = await probe();
        if (result)
            return result;
        if (performance.now() > end)
            throw new Error(`waited ${scaled(ms)} ms for ${typeof what === 'function' ? what() : what}`);
        await new Promise(resolve => setTimeout(resolve, every));
    }
}
