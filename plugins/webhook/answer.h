/*
 * What an answer of the backend means (README.md, "Answers"). Pure.
 */
#ifndef WEBHOOK_ANSWER_H
#define WEBHOOK_ANSWER_H

#include "kinds.h"
#include <hubbub/plugin.h>

enum {
    ANSWER_NAME_MAX = 128,
    ANSWER_TEXT_MAX = 256,
    ANSWER_TOKEN_ID_MAX = 256,
    ANSWER_RIGHTS_MAX = 16384
};

/* `out` borrows from the body and from the buffers here. */
struct answer {
    hb_verdict verdict;
    hb_outcome out;
    char user[ANSWER_NAME_MAX], message[ANSWER_TEXT_MAX], token_id[ANSWER_TOKEN_ID_MAX];
};

/* True: `out` is filled. False: this is no answer; the backend is at fault, and `out` is undefined.
 */
bool answer_read(enum kind kind, int status, hb_str body, struct answer *out);

#endif
