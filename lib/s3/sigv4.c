#include "lib/s3/sigv4.h"

#include "lib/base/hex.h"
#include "lib/crypto/digest.h"
#include "lib/s3/s3_time.h"

#include <openssl/crypto.h>

static const char ALGORITHM[] = "AWS4-HMAC-SHA256";
static const char SERVICE_END[] = "/s3/aws4_request";
enum { DATE_SIZE = 8 };

/* The part of text before the first separator; what comes after it stays in text. */
static bool split(struct bytes *text, char separator, struct bytes *ret_part)
{
    const uint8_t *found = text->size == 0 ? NULL : memchr(text->data, separator, text->size);
    if (found == NULL) {
        return false;
    }
    size_t size = (size_t)(found - text->data);
    *ret_part = bytes_slice(*text, 0, size);
    *text = bytes_from(*text, size + 1);
    return true;
}

static bool is_letter_or_digit(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9');
}

static bool consists_of(struct bytes text, size_t max, const char *others)
{
    if (text.size == 0 || text.size > max) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (!is_letter_or_digit(byte) && (byte == '\0' || strchr(others, byte) == NULL)) {
            return false;
        }
    }
    return true;
}

struct status
sigv4_parse_scope(struct bytes scope, struct bytes *ret_date, struct bytes *ret_region)
{
    struct bytes end = bytes_text(SERVICE_END);
    struct bytes rest = scope;
    struct bytes date;
    if (!split(&rest, '/', &date) || date.size != DATE_SIZE) {
        return FAIL(INVALID, "scope has no date");
    }
    for (size_t i = 0; i < date.size; i++) {
        if (date.data[i] < '0' || date.data[i] > '9') {
            return FAIL(INVALID, "the scope's date is not digits");
        }
    }
    if (rest.size <= end.size || !bytes_equal(bytes_from(rest, rest.size - end.size), end)) {
        return FAIL(INVALID, "scope does not end with /s3/aws4_request");
    }
    struct bytes region = bytes_slice(rest, 0, rest.size - end.size);
    if (!consists_of(region, SIGV4_REGION_MAX, "-_")) {
        return FAIL(INVALID, "the scope's region has wrong characters");
    }
    *ret_date = date;
    *ret_region = region;
    return OK;
}

/* AK/date/region/s3/aws4_request */
static struct status
parse_credential(struct bytes credential, struct sigv4_authorization *authorization)
{
    struct bytes rest = credential;
    if (!split(&rest, '/', &authorization->access_key) ||
        !consists_of(authorization->access_key, SIGV4_ACCESS_KEY_MAX, "_-+=,.@")) {
        return FAIL(INVALID, "credential has no access key");
    }
    authorization->scope = rest;
    return sigv4_parse_scope(rest, &authorization->date, &authorization->region);
}

static bool is_header_name(struct bytes name)
{
    if (!consists_of(name, 256, "!#$%&'*+-.^_`|~")) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] >= 'A' && name.data[i] <= 'Z') {
            return false;
        }
    }
    return true;
}

/* Lower case, sorted, unique, and host among them. */
static struct status check_signed_headers(struct bytes list)
{
    struct bytes rest = list;
    struct bytes last = bytes_of(NULL, 0);
    bool has_host = false;
    size_t count = 0;
    for (bool more = true; more; count++) {
        struct bytes name = rest;
        more = split(&rest, ';', &name);
        if (count >= SIGV4_HEADERS_MAX || !is_header_name(name)) {
            return FAIL(INVALID, "signed headers are not a list of names");
        }
        if (count > 0 && bytes_compare(last, name) >= 0) {
            return FAIL(INVALID, "signed headers are not in order");
        }
        has_host = has_host || bytes_equal(name, bytes_text("host"));
        last = name;
    }
    return has_host ? OK : FAIL(INVALID, "the host header is not signed");
}

static struct status set_time(struct sigv4_authorization *authorization, struct bytes timestamp)
{
    authorization->timestamp = timestamp;
    if (!s3_time_parse_amz(timestamp, &authorization->time_s)) {
        return FAIL(INVALID, "x-amz-date is not a time");
    }
    if (!bytes_equal(bytes_slice(timestamp, 0, DATE_SIZE), authorization->date)) {
        return FAIL(INVALID, "x-amz-date is not of the scope's day");
    }
    return OK;
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = bytes_from(text, 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

struct words {
    struct bytes credential;
    struct bytes signed_headers;
    struct bytes signature;
};

/* One "Name=value" of the header; each name once. */
static struct status add_word(struct words *words, struct bytes word)
{
    struct bytes name;
    if (!split(&word, '=', &name)) {
        return FAIL(INVALID, "authorization has a word without '='");
    }
    struct bytes *to = NULL;
    if (bytes_equal(name, bytes_text("Credential"))) {
        to = &words->credential;
    } else if (bytes_equal(name, bytes_text("SignedHeaders"))) {
        to = &words->signed_headers;
    } else if (bytes_equal(name, bytes_text("Signature"))) {
        to = &words->signature;
    }
    if (to == NULL || to->data != NULL) {
        return FAIL(INVALID, "authorization has a word that is unknown or repeated");
    }
    *to = word;
    return OK;
}

static struct status use_words(const struct words *words, struct sigv4_authorization *authorization)
{
    TRY(parse_credential(words->credential, authorization));
    TRY(check_signed_headers(words->signed_headers));
    authorization->signed_headers = words->signed_headers;
    if (!hex_decode(words->signature, authorization->signature, SIGV4_SIGNATURE_SIZE)) {
        return FAIL(INVALID, "signature is not 64 hexadecimal digits");
    }
    return OK;
}

struct status sigv4_parse_header(
    struct bytes value, struct bytes timestamp, struct sigv4_authorization *ret_authorization)
{
    struct bytes rest = value;
    struct bytes scheme;
    if (!split(&rest, ' ', &scheme)) {
        return FAIL(INVALID, "authorization is not a scheme and its words");
    }
    if (!bytes_equal(scheme, bytes_text(ALGORITHM))) {
        return FAIL(UNSUPPORTED, "authorization is not AWS4-HMAC-SHA256");
    }
    struct words words = {.credential = {NULL, 0}};
    for (bool more = true; more;) {
        struct bytes word = rest;
        more = split(&rest, ',', &word);
        TRY(add_word(&words, trim(word)));
    }
    if (words.credential.data == NULL || words.signed_headers.data == NULL ||
        words.signature.data == NULL) {
        return FAIL(INVALID, "authorization lacks a word");
    }
    struct sigv4_authorization authorization = {.is_presigned = false};
    TRY(use_words(&words, &authorization));
    TRY(set_time(&authorization, timestamp));
    *ret_authorization = authorization;
    return OK;
}

/* The value of a parameter that must be there once. */
static struct status find_parameter(
    const struct sigv4_pair *parameters, size_t count, const char *name, struct bytes *ret_value)
{
    const struct sigv4_pair *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(parameters[i].name, bytes_text(name))) {
            if (found != NULL) {
                return FAIL(INVALID, "an X-Amz parameter is repeated");
            }
            found = &parameters[i];
        }
    }
    if (found == NULL) {
        return FAIL(INVALID, "an X-Amz parameter is missing");
    }
    *ret_value = found->value;
    return OK;
}

static struct status parse_expires(struct bytes text, int64_t *ret_expires_s)
{
    int64_t value = 0;
    if (text.size == 0 || text.size > 6) {
        return FAIL(INVALID, "X-Amz-Expires is not 1 to 604800");
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return FAIL(INVALID, "X-Amz-Expires is not a number");
        }
        value = value * 10 + (text.data[i] - '0');
    }
    if (value < 1 || value > SIGV4_EXPIRES_MAX_S) {
        return FAIL(INVALID, "X-Amz-Expires is not 1 to 604800");
    }
    *ret_expires_s = value;
    return OK;
}

struct status sigv4_parse_query(
    const struct sigv4_pair *parameters, size_t count,
    struct sigv4_authorization *ret_authorization)
{
    struct bytes algorithm;
    struct bytes timestamp;
    struct bytes expires;
    struct words words;
    TRY(find_parameter(parameters, count, "X-Amz-Algorithm", &algorithm));
    if (!bytes_equal(algorithm, bytes_text(ALGORITHM))) {
        return FAIL(UNSUPPORTED, "X-Amz-Algorithm is not AWS4-HMAC-SHA256");
    }
    TRY(find_parameter(parameters, count, "X-Amz-Credential", &words.credential));
    TRY(find_parameter(parameters, count, "X-Amz-Date", &timestamp));
    TRY(find_parameter(parameters, count, "X-Amz-Expires", &expires));
    TRY(find_parameter(parameters, count, "X-Amz-SignedHeaders", &words.signed_headers));
    TRY(find_parameter(parameters, count, "X-Amz-Signature", &words.signature));

    struct sigv4_authorization authorization = {.is_presigned = true};
    TRY(use_words(&words, &authorization));
    TRY(set_time(&authorization, timestamp));
    TRY(parse_expires(expires, &authorization.expires_s));
    *ret_authorization = authorization;
    return OK;
}

struct status sigv4_check_time(int64_t time_s, int64_t expires_s, int64_t now_s)
{
    if (time_s > now_s + SIGV4_SKEW_S) {
        return FAIL(DENIED, "the request's time is in the future");
    }
    if (now_s > time_s + (expires_s > 0 ? expires_s : SIGV4_SKEW_S)) {
        return FAIL(DENIED, "the request's time is over");
    }
    return OK;
}

static struct status
hmac_text(struct bytes key, struct bytes text, uint8_t ret_mac[DIGEST_SHA256_SIZE])
{
    return digest_hmac(key, &text, 1, ret_mac);
}

/* The chain of four; key holds the last mac and is the caller's to wipe. */
static struct status derive_chain(
    const struct secret *start, struct bytes date, struct bytes region, struct bytes service,
    uint8_t key[DIGEST_SHA256_SIZE])
{
    struct bytes last = bytes_of(key, DIGEST_SHA256_SIZE);
    TRY(hmac_text(secret_bytes(start), date, key));
    TRY(hmac_text(last, region, key));
    TRY(hmac_text(last, service, key));
    return hmac_text(last, bytes_text("aws4_request"), key);
}

struct status sigv4_signing_key(
    const struct secret *s3_secret, struct bytes date, struct bytes region, struct bytes service,
    struct secret **ret_key)
{
    static const char PREFIX[4] = {'A', 'W', 'S', '4'};
    OWNED(secret) struct secret *start = NULL;
    size_t size = secret_size(s3_secret);
    TRY(secret_new(sizeof(PREFIX) + size, &start));
    memcpy(secret_data(start), PREFIX, sizeof(PREFIX));
    memcpy(secret_data(start) + sizeof(PREFIX), secret_bytes(s3_secret).data, size);

    uint8_t key[DIGEST_SHA256_SIZE];
    struct status status = derive_chain(start, date, region, service, key);
    if (status_ok(status)) {
        status = secret_new_copy(BYTES_ARRAY(key), ret_key);
    }
    OPENSSL_cleanse(key, sizeof(key));
    return status;
}

/* first "\n" timestamp "\n" scope "\n": how every string to sign begins. */
static void
add_intro(struct buffer *text, const char *first, struct bytes timestamp, struct bytes scope)
{
    buffer_add_text(text, first);
    buffer_add_text(text, "\n");
    buffer_add(text, timestamp);
    buffer_add_text(text, "\n");
    buffer_add(text, scope);
    buffer_add_text(text, "\n");
}

static void add_hex(struct buffer *text, const uint8_t digest[DIGEST_SHA256_SIZE])
{
    char hex[2 * DIGEST_SHA256_SIZE + 1];
    hex_encode(bytes_of(digest, DIGEST_SHA256_SIZE), hex);
    buffer_add_text(text, hex);
}

struct status sigv4_string_to_sign(
    struct bytes timestamp, struct bytes scope, struct bytes canonical, struct buffer *text)
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    TRY(digest_sha256(&canonical, 1, digest));
    add_intro(text, ALGORITHM, timestamp, scope);
    add_hex(text, digest);
    return buffer_status(text);
}

struct status sigv4_sign(
    const struct secret *signing_key, struct bytes timestamp, struct bytes scope,
    struct bytes canonical, uint8_t ret_signature[SIGV4_SIGNATURE_SIZE])
{
    BUFFER(text, 1024);
    TRY(sigv4_string_to_sign(timestamp, scope, canonical, &text));
    return hmac_text(secret_bytes(signing_key), buffer_bytes(&text), ret_signature);
}

struct status sigv4_sign_chunk(
    const struct secret *signing_key, struct bytes timestamp, struct bytes scope,
    const uint8_t previous[SIGV4_SIGNATURE_SIZE], const uint8_t sha256[32],
    uint8_t ret_signature[SIGV4_SIGNATURE_SIZE])
{
    BUFFER(text, 1024);
    add_intro(&text, "AWS4-HMAC-SHA256-PAYLOAD", timestamp, scope);
    add_hex(&text, previous);
    /* Between them stands the digest of nothing. */
    buffer_add_text(&text, "\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n");
    add_hex(&text, sha256);
    TRY(buffer_status(&text));
    return hmac_text(secret_bytes(signing_key), buffer_bytes(&text), ret_signature);
}

struct status sigv4_sign_trailer(
    const struct secret *signing_key, struct bytes timestamp, struct bytes scope,
    const uint8_t previous[SIGV4_SIGNATURE_SIZE], const uint8_t sha256[32],
    uint8_t ret_signature[SIGV4_SIGNATURE_SIZE])
{
    BUFFER(text, 1024);
    add_intro(&text, "AWS4-HMAC-SHA256-TRAILER", timestamp, scope);
    add_hex(&text, previous);
    buffer_add_text(&text, "\n");
    add_hex(&text, sha256);
    TRY(buffer_status(&text));
    return hmac_text(secret_bytes(signing_key), buffer_bytes(&text), ret_signature);
}

bool sigv4_equal(const uint8_t a[SIGV4_SIGNATURE_SIZE], const uint8_t b[SIGV4_SIGNATURE_SIZE])
{
    return CRYPTO_memcmp(a, b, SIGV4_SIGNATURE_SIZE) == 0;
}
