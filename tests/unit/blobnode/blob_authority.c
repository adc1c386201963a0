#include "tests/unit/blobnode/blob_authority.h"

#include "lib/crypto/random.h"

enum { YEAR_S = 31536000 };

void blob_authority_init(struct blob_authority *authority, uint64_t now_s)
{
    BUFFER(root_spki, SIGNATURE_SPKI_MAX);
    BUFFER(online_spki, SIGNATURE_SPKI_MAX);
    *authority = (struct blob_authority){.root_key = NULL};
    assert_ok(signature_generate(SIGNATURE_ED25519, &authority->root_key, &root_spki));
    assert_ok(blob_keyring_root_parse(buffer_bytes(&root_spki), &authority->root));
    assert_ok(signature_generate(SIGNATURE_ED25519, &authority->online_key, &online_spki));
    buffer_init(&authority->delegation, 4096);
    assert_ok(delegation_sign(
        SIGNATURE_ED25519, authority->root_key, SIGNATURE_ED25519, buffer_bytes(&online_spki),
        now_s - YEAR_S / 2, now_s + YEAR_S / 2, &authority->delegation));
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        buffer_init(&authority->spkis[i], SIGNATURE_SPKI_MAX);
        assert_ok(signature_generate(SIGNATURE_ED25519, &authority->keys[i], &authority->spkis[i]));
    }
}

void blob_authority_done(struct blob_authority *authority)
{
    secret_free(authority->root_key);
    secret_free(authority->online_key);
    buffer_done(&authority->delegation);
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        secret_free(authority->keys[i]);
        buffer_done(&authority->spkis[i]);
    }
}

void blob_authority_keyset(
    const struct blob_authority *authority, const struct id16 *account, uint64_t version,
    uint64_t issued_s, struct buffer *keyset)
{
    struct keyset_key keys[KEYSET_PERMS];
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        keys[i] = (struct keyset_key){
            .perm = (uint8_t)(1U << i),
            .alg = SIGNATURE_ED25519,
            .nbf = issued_s - YEAR_S / 4,
            .naf = issued_s + YEAR_S / 4,
            .spki = buffer_bytes(&authority->spkis[i]),
        };
        assert_ok(signature_kid(keys[i].spki, keys[i].kid));
    }
    struct keyset_content content = {
        .account = *account,
        .version = version,
        .issued = issued_s,
        .valid_until = issued_s + KEYSET_VALID_S,
        .keys = keys,
        .keys_count = KEYSET_PERMS,
    };
    assert_ok(keyset_sign(
        &content, buffer_bytes(&authority->delegation), SIGNATURE_ED25519, authority->online_key,
        keyset));
}

void blob_authority_token(
    const struct blob_authority *authority, const struct id16 *account, enum token_perm perm,
    const uint8_t cert_sha256[32], uint64_t now_s, uint64_t life_s, uint8_t ret_token[TOKEN_SIZE])
{
    unsigned index = token_perm_index(perm);
    struct token token = {
        .alg = SIGNATURE_ED25519,
        .perm = (uint8_t)perm,
        .nbf = now_s,
        .exp = now_s + life_s,
        .account = *account,
    };
    assert_ok(signature_kid(buffer_bytes(&authority->spkis[index]), token.kid));
    assert_ok(random_bytes(token.jti.bytes, ID16_SIZE));
    memcpy(token.cnf, cert_sha256, 32);
    assert_ok(token_mint(&token, authority->keys[index], ret_token));
}
