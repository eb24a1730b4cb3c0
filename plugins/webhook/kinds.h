/* What the backend is asked, and what of. */
#ifndef WEBHOOK_KINDS_H
#define WEBHOOK_KINDS_H

enum kind { KIND_CONNECT, KIND_JOIN, KIND_PUBLISH, KIND_CALL, KIND_COUNT };

#endif
