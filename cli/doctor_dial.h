#pragma once

/*
 * How the doctor asks a port: bind it, connect to it, shake hands over TLS 1.3, GET over plain
 * HTTP. By hand and not with lib/rpc, because it wants to see what lib/rpc only refuses: an
 * expired certificate, another cluster's daemon, something else altogether. Blocks, 3 s a step.
 */

#include "cli/doctor_pem.h"

#include <netdb.h>

/* OK if the address is free for us; BUSY if somebody has it; else why it cannot be bound. */
MUST_CHECK struct status doctor_dial_bind(const char *address);

MUST_CHECK struct status doctor_dial_connect(const char *address, int *ret_fd);

struct doctor_dial_tls {
    const char *address;
    const char *name;      /* SNI; NULL: none, so that nobody logs that it has no such name. */
    const char *protocol;  /* ALPN: "h2" or "http/1.1". */
    const char *cert_file; /* What we show; NULL: nothing. */
    const char *key_file;
};

/* What the server shows, whoever it is: nothing is verified here. */
MUST_CHECK struct status
doctor_dial_handshake(const struct doctor_dial_tls *dial, struct doctor_pem **ret_pem);

struct doctor_dial_answer {
    int code;
    char server[64]; /* "" where the header is absent. */
    int64_t date_s;  /* 0 where the header is absent or unreadable. */
    char line[128];  /* The first of the body. */
};

MUST_CHECK struct status
doctor_dial_health(const char *address, struct doctor_dial_answer *ret_answer);

/* Read an answer to GET /health; INVALID if it is not HTTP. */
MUST_CHECK struct status
doctor_dial_parse(struct bytes text, struct doctor_dial_answer *ret_answer);
