/*
 * delegation = "TKD1" | alg u8 | 0^3 | nbf u64 | naf u64 | len u16 | spki of the online key
 *            | root_sig_len u16 | signature by the root over "TRIAD-DELEGATION-v1\0" | all before
 *
 * "all before" includes root_sig_len.
 */

#include "lib/capability/delegation.h"

#include "lib/base/check.h"

enum { DATE_SKEW_S = 60 };

static const char delegation_magic[4] = {'T', 'K', 'D', '1'};
static const char delegation_prefix[] = "TRIAD-DELEGATION-v1"; /* Signed with its NUL. */

static bool is_alg(uint8_t alg)
{
    return alg == SIGNATURE_ED25519 || alg == SIGNATURE_P256;
}

static struct status check_dates(uint64_t nbf, uint64_t naf)
{
    if (naf <= nbf || naf - nbf > DELEGATION_LIFE_MAX_S) {
        return FAIL(INVALID, "dates of a delegation");
    }
    return OK;
}

struct status delegation_sign(
    enum signature_alg root_alg, const struct secret *root_pkcs8, enum signature_alg alg,
    struct bytes online_spki, uint64_t nbf, uint64_t naf, struct buffer *ret_delegation)
{
    TRY(check_dates(nbf, naf));
    if (!is_alg((uint8_t)alg) || online_spki.size == 0 || online_spki.size > SIGNATURE_SPKI_MAX) {
        return FAIL(INVALID, "online key of a delegation");
    }
    TRY(buffer_status(ret_delegation));
    size_t begin = ret_delegation->size;
    buffer_add(ret_delegation, BYTES_ARRAY(delegation_magic));
    buffer_add_u8(ret_delegation, (uint8_t)alg);
    buffer_add_zeros(ret_delegation, 3);
    buffer_add_u64(ret_delegation, nbf);
    buffer_add_u64(ret_delegation, naf);
    buffer_add_u16(ret_delegation, (uint16_t)online_spki.size);
    buffer_add(ret_delegation, online_spki);
    buffer_add_u16(ret_delegation, SIGNATURE_SIZE);
    TRY(buffer_status(ret_delegation));
    uint8_t signature[SIGNATURE_SIZE];
    TRY(signature_sign(
        root_alg, root_pkcs8, BYTES_ARRAY(delegation_prefix),
        bytes_from(buffer_bytes(ret_delegation), begin), signature));
    buffer_add(ret_delegation, BYTES_ARRAY(signature));
    return buffer_status(ret_delegation);
}

struct status delegation_read(
    struct reader *reader, enum signature_alg root_alg, struct bytes root_spki, uint64_t now_s,
    struct delegation *ret_delegation)
{
    const uint8_t *begin = reader->rest.data;
    if (!bytes_equal(
            reader_take(reader, sizeof(delegation_magic)), BYTES_ARRAY(delegation_magic))) {
        return FAIL(INVALID, "magic of a delegation");
    }
    uint8_t alg = reader_u8(reader);
    reader_zeros(reader, 3);
    struct delegation delegation = {0};
    delegation.nbf = reader_u64(reader);
    delegation.naf = reader_u64(reader);
    delegation.spki = reader_take(reader, reader_u16(reader));
    uint16_t signature_size = reader_u16(reader);
    if (reader_failed(reader)) {
        return FAIL(INVALID, "length or reserved bytes of a delegation");
    }
    struct bytes body = bytes_of(begin, (size_t)(reader->rest.data - begin));
    struct bytes signature = reader_take(reader, signature_size);
    if (reader_failed(reader) || !is_alg(alg)) {
        return FAIL(INVALID, "alg or signature of a delegation");
    }
    TRY(signature_verify(root_alg, root_spki, BYTES_ARRAY(delegation_prefix), body, signature));
    TRY(check_dates(delegation.nbf, delegation.naf));
    if (now_s + DATE_SKEW_S < delegation.nbf ||
        (now_s >= delegation.naf && now_s - delegation.naf >= DATE_SKEW_S)) {
        return FAIL(DENIED, "delegation is not valid now");
    }
    delegation.alg = (enum signature_alg)alg;
    *ret_delegation = delegation;
    return OK;
}
