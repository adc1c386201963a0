#include "lib/rpc/rpc_identity.h"

#include "lib/base/check.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum { CERT_PEM_MAX = 64 * 1024 };

static const struct {
    enum rpc_role role;
    const char *name;
} roles[] = {
    {RPC_ROLE_FRONTEND, "frontend"},   {RPC_ROLE_BLOBNODE, "blobnode"},
    {RPC_ROLE_CONTENTDB, "contentdb"}, {RPC_ROLE_KEYSTORE, "keystore"},
    {RPC_ROLE_STEWARD, "steward"},     {RPC_ROLE_OPERATOR, "operator"},
};

enum { ROLES = sizeof(roles) / sizeof(roles[0]) };

enum rpc_role rpc_role_of_name(struct bytes name)
{
    for (size_t i = 0; i < ROLES; i++) {
        if (bytes_equal(name, bytes_text(roles[i].name))) {
            return roles[i].role;
        }
    }
    return 0;
}

const char *rpc_role_name(enum rpc_role role)
{
    for (size_t i = 0; i < ROLES; i++) {
        if (roles[i].role == role) {
            return roles[i].name;
        }
    }
    return "?";
}

static bool is_id(struct bytes id)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    if (id.size == 0 || id.size > RPC_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.size; i++) {
        if (memchr(allowed, id.data[i], sizeof(allowed) - 1) == NULL) {
            return false;
        }
    }
    return true;
}

struct status rpc_identity_parse(struct bytes uri, const char *cluster, struct rpc_peer *ret_peer)
{
    struct bytes scheme = bytes_text("triad://");
    struct bytes name = bytes_text(cluster);
    if (uri.size > RPC_URI_MAX || !bytes_starts_with(uri, scheme)) {
        return FAIL(INVALID, "identity is not a triad URI");
    }
    struct bytes rest = bytes_from(uri, scheme.size);
    if (!bytes_starts_with(rest, name) || rest.size == name.size || rest.data[name.size] != '/') {
        return FAIL(INVALID, "identity is of another cluster");
    }
    rest = bytes_from(rest, name.size + 1);
    const uint8_t *slash = rest.size == 0 ? NULL : memchr(rest.data, '/', rest.size);
    if (slash == NULL) {
        return FAIL(INVALID, "identity without a node id");
    }
    size_t role_size = (size_t)(slash - rest.data);
    enum rpc_role role = rpc_role_of_name(bytes_of(rest.data, role_size));
    struct bytes id = bytes_from(rest, role_size + 1);
    if (role == 0 || !is_id(id)) {
        return FAIL(INVALID, "identity with an unknown role or a bad node id");
    }

    *ret_peer = (struct rpc_peer){.role = role};
    memcpy(ret_peer->id, id.data, id.size);
    memcpy(ret_peer->uri, uri.data, uri.size);
    return OK;
}

static void x509_release(X509 **certificate)
{
    X509_free(*certificate);
}

static void names_release(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

/* The only URI among the alternative names; two would leave it open who the peer is. */
static struct status parse_san(const X509 *leaf, const char *cluster, struct rpc_peer *ret_peer)
{
    __attribute__((cleanup(names_release))) GENERAL_NAMES *names =
        X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    struct bytes uri = {.data = NULL};
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI) {
            continue;
        }
        if (uri.data != NULL) {
            return FAIL(DENIED, "certificate with two SAN URIs");
        }
        const ASN1_IA5STRING *text = name->d.uniformResourceIdentifier;
        uri = bytes_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    }
    if (uri.data == NULL) {
        return FAIL(DENIED, "certificate without a SAN URI");
    }
    if (!status_ok(rpc_identity_parse(uri, cluster, ret_peer))) {
        return FAIL(DENIED, "certificate whose SAN URI is not an identity of this cluster");
    }
    return OK;
}

static struct status check_issuer(const X509 *leaf, enum rpc_role role)
{
    struct bytes wanted =
        bytes_text(role == RPC_ROLE_OPERATOR ? "triad operators CA" : "triad services CA");
    const X509_NAME *issuer = X509_get_issuer_name(leaf);
    int index = X509_NAME_get_index_by_NID(issuer, NID_commonName, -1);
    if (index < 0 || X509_NAME_get_index_by_NID(issuer, NID_commonName, index) >= 0) {
        return FAIL(DENIED, "issuer without exactly one common name");
    }
    const ASN1_STRING *name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(issuer, index));
    struct bytes found = bytes_of(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name));
    if (!bytes_equal(found, wanted)) {
        return FAIL(DENIED, "certificate from the wrong CA for its role");
    }
    return OK;
}

struct status rpc_identity_of_pem(struct bytes pem, const char *cluster, struct rpc_peer *ret_peer)
{
    if (pem.size == 0 || pem.size > CERT_PEM_MAX) {
        return FAIL(DENIED, "no certificate, or a huge one");
    }
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio == NULL) {
        return FAIL(NO_MEMORY, "certificate");
    }
    __attribute__((cleanup(x509_release))) X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (leaf == NULL) {
        return FAIL(DENIED, "certificate cannot be read");
    }

    struct rpc_peer peer;
    TRY(parse_san(leaf, cluster, &peer));
    TRY(check_issuer(leaf, peer.role));
    unsigned size = 0;
    if (X509_digest(leaf, EVP_sha256(), peer.cert_sha256, &size) != 1) {
        return FAIL(INTERNAL, "fingerprint of a certificate");
    }
    CHECK(size == sizeof(peer.cert_sha256));
    *ret_peer = peer;
    return OK;
}
