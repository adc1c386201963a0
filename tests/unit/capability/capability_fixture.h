#pragma once

/* The keys, delegation, keyset and token of FORMATS 7's known answers. */

#include "lib/capability/token.h"
#include "tests/support/vector.h"

enum { BEGIN = 1700000000, KEYSET_NOW = BEGIN + 200, FIXTURE_VERSION = 7 };

/* An Ed25519 key whose seed is first, first + 1, ...; appends its SPKI. */
static inline struct secret *fixture_key(uint8_t first, struct buffer *spki)
{
    static const char head[] = "302e020100300506032b657004220420";
    static const struct {
        uint8_t first;
        const char *spki;
    } known[] = {
        {0x00, "302a300506032b6570032100"
               "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"},
        {0x20, "302a300506032b6570032100"
               "29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7"},
        {0x40, "302a300506032b6570032100"
               "2543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9559d"},
    };
    uint8_t pkcs8[48];
    uint8_t room[64];
    vector_decode(head, pkcs8, sizeof(pkcs8));
    for (size_t i = 0; i < 32; i++) {
        pkcs8[16 + i] = (uint8_t)(first + i);
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].first == first) {
            buffer_add(spki, vector_decode(known[i].spki, room, sizeof(room)));
        }
    }
    return vector_secret(BYTES_ARRAY(pkcs8));
}

struct fixture {
    struct secret *root;
    struct secret *online;
    struct secret *signing;
    struct buffer root_spki;
    struct buffer online_spki;
    struct buffer signing_spki;
    struct id16 account;
    struct keyset_key key;
    struct id16 denied;
    struct keyset_content content;
    struct buffer delegation;
    struct buffer encoded;
};

static inline void fixture_done(struct fixture *f)
{
    secret_free(f->root);
    secret_free(f->online);
    secret_free(f->signing);
    buffer_done(&f->root_spki);
    buffer_done(&f->online_spki);
    buffer_done(&f->signing_spki);
    buffer_done(&f->delegation);
    buffer_done(&f->encoded);
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    buffer_init(&f->root_spki, SIGNATURE_SPKI_MAX);
    buffer_init(&f->online_spki, SIGNATURE_SPKI_MAX);
    buffer_init(&f->signing_spki, SIGNATURE_SPKI_MAX);
    buffer_init(&f->delegation, 1024);
    buffer_init(&f->encoded, KEYSET_SIZE_MAX);
    f->root = fixture_key(0x00, &f->root_spki);
    f->online = fixture_key(0x20, &f->online_spki);
    f->signing = fixture_key(0x40, &f->signing_spki);
    memset(f->account.bytes, 0x44, ID16_SIZE);
    memset(f->denied.bytes, 0x66, ID16_SIZE);
    f->key = (struct keyset_key){
        .perm = TOKEN_READ,
        .alg = SIGNATURE_ED25519,
        .nbf = BEGIN,
        .naf = BEGIN + TOKEN_LIFE_CAP_S,
        .spki = buffer_bytes(&f->signing_spki),
    };
    assert_ok(signature_kid(f->key.spki, f->key.kid));
    f->content = (struct keyset_content){
        .account = f->account,
        .version = FIXTURE_VERSION,
        .issued = BEGIN + 100,
        .valid_until = BEGIN + 1000,
        .min_epoch = {1, 2, 3, 4, 5},
        .keys = &f->key,
        .keys_count = 1,
        .denied = &f->denied,
        .denied_count = 1,
    };
    assert_ok(delegation_sign(
        SIGNATURE_ED25519, f->root, SIGNATURE_ED25519, buffer_bytes(&f->online_spki), BEGIN,
        BEGIN + 31536000, &f->delegation));
}

/* Sign f->content anew. */
static inline void fixture_sign(struct fixture *f)
{
    buffer_reset(&f->encoded);
    assert_ok(keyset_sign(
        &f->content, buffer_bytes(&f->delegation), SIGNATURE_ED25519, f->online, &f->encoded));
}

static inline struct status fixture_open(const struct fixture *f, struct keyset **ret_keyset)
{
    return keyset_open(
        buffer_bytes(&f->encoded), SIGNATURE_ED25519, buffer_bytes(&f->root_spki), &f->account,
        KEYSET_NOW, ret_keyset);
}

static inline struct keyset *fixture_keyset(struct fixture *f)
{
    struct keyset *keyset = NULL;
    fixture_sign(f);
    assert_ok(fixture_open(f, &keyset));
    return keyset;
}

static inline struct token fixture_token(const struct fixture *f)
{
    struct token token = {
        .alg = SIGNATURE_ED25519,
        .perm = TOKEN_READ,
        .nbf = BEGIN,
        .exp = BEGIN + 3600,
        .account = f->account,
        .epoch = 1,
    };
    memcpy(token.kid, f->key.kid, sizeof(token.kid));
    memset(token.jti.bytes, 0x55, ID16_SIZE);
    for (size_t i = 0; i < sizeof(token.cnf); i++) {
        token.cnf[i] = (uint8_t)i;
    }
    return token;
}
