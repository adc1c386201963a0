#include "lib/rpc/rpc_tls.h"

#include "lib/base/check.h"
#include "lib/base/file.h"
#include "lib/telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { FILE_SIZE_MAX = 64 * 1024, FILES = 3 };

/* Tells a file from the one that was there before. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    int64_t changed_ns;
};

struct rpc_tls {
    pthread_mutex_t mutex;
    char *paths[FILES]; /* Owned: CA, certificate, key. */
    char *cluster;      /* Owned. */
    struct stamp stamps[FILES];
    bool is_loaded;
};

/* gRPC's own complaints, such as a handshake that failed, as lines of our log. */
static void log_grpc(gpr_log_func_args *args)
{
    enum log_level level = args->severity == GPR_LOG_SEVERITY_ERROR ? LOG_WARN : LOG_DEBUG;
    log_event(level, "gRPC", LOG_TEXT("message", args->message));
}

static void set_environment(void)
{
    gpr_set_log_function(log_grpc);
    /* An RSA suite: no ECDSA certificate can use it in 1.2; 1.3 has suites of its own. */
    setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", 1);
}

void rpc_tls_library_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(pthread_once(&once, set_environment) == 0);
    grpc_init();
}

void rpc_tls_material_free(struct rpc_tls_material *material)
{
    if (material == NULL) {
        return;
    }
    if (material->key != NULL) {
        explicit_bzero(material->key, strlen(material->key));
    }
    free(material->ca);
    free(material->cert);
    free(material->key);
    free(material);
}

struct status rpc_tls_new(const struct rpc_tls_files *files, struct rpc_tls **ret_tls)
{
    OWNED(rpc_tls) struct rpc_tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL) {
        return FAIL(NO_MEMORY, "certificate files");
    }
    CHECK(pthread_mutex_init(&tls->mutex, NULL) == 0);
    tls->paths[0] = strdup(files->ca_file);
    tls->paths[1] = strdup(files->cert_file);
    tls->paths[2] = strdup(files->key_file);
    tls->cluster = strdup(files->cluster);
    if (tls->paths[0] == NULL || tls->paths[1] == NULL || tls->paths[2] == NULL ||
        tls->cluster == NULL) {
        return FAIL(NO_MEMORY, "certificate files");
    }
    *ret_tls = TAKE(tls);
    return OK;
}

void rpc_tls_free(struct rpc_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    for (size_t i = 0; i < FILES; i++) {
        free(tls->paths[i]);
    }
    free(tls->cluster);
    pthread_mutex_destroy(&tls->mutex);
    free(tls);
}

const char *rpc_tls_cluster(const struct rpc_tls *tls)
{
    return tls->cluster;
}

static struct status read_stamps(const struct rpc_tls *tls, struct stamp stamps[FILES])
{
    for (size_t i = 0; i < FILES; i++) {
        struct stat about;
        if (stat(tls->paths[i], &about) != 0) {
            return FAIL_ERRNO(errno, "look at a certificate file");
        }
        stamps[i] = (struct stamp){
            .device = about.st_dev,
            .inode = about.st_ino,
            .size = about.st_size,
            .changed_ns = (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec,
        };
    }
    return OK;
}

static bool stamps_equal(const struct stamp a[FILES], const struct stamp b[FILES])
{
    for (size_t i = 0; i < FILES; i++) {
        if (a[i].device != b[i].device || a[i].inode != b[i].inode || a[i].size != b[i].size ||
            a[i].changed_ns != b[i].changed_ns) {
            return false;
        }
    }
    return true;
}

/* The buffer may hold a private key. */
static void wiped_buffer_release(struct buffer *buffer)
{
    if (buffer->data != NULL) {
        explicit_bzero(buffer->data, buffer->size);
    }
    buffer_done(buffer);
}

static struct status read_text(const char *path, char **ret_text)
{
    __attribute__((cleanup(wiped_buffer_release))) struct buffer buffer = {.limit = FILE_SIZE_MAX};
    TRY(file_read(AT_FDCWD, path, &buffer));
    char *text = malloc(buffer.size + 1);
    if (text == NULL) {
        return FAIL(NO_MEMORY, "certificate file");
    }
    if (buffer.size > 0) {
        memcpy(text, buffer.data, buffer.size);
    }
    text[buffer.size] = '\0';
    *ret_text = text;
    return OK;
}

static X509 *read_leaf(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *leaf = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return leaf;
}

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

/* Key and certificate must belong together, and be EC (see the header). */
static struct status check_pair(struct rpc_tls_material *material)
{
    X509 *leaf = read_leaf(material->cert);
    EVP_PKEY *key = read_key(material->key);
    struct status status = OK;
    if (leaf == NULL || key == NULL) {
        status = FAIL(INVALID, "certificate or key file is not PEM");
    } else if (X509_check_private_key(leaf, key) != 1) {
        status = FAIL(INVALID, "key file does not belong to the certificate");
    } else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
        status = FAIL(INVALID, "key is not ECDSA");
    } else if (X509_digest(leaf, EVP_sha256(), material->cert_sha256, NULL) != 1) {
        status = FAIL(INTERNAL, "fingerprint of our certificate");
    }
    X509_free(leaf);
    EVP_PKEY_free(key);
    return status;
}

static struct status load(const struct rpc_tls *tls, struct rpc_tls_material **ret_material)
{
    OWNED(rpc_tls_material) struct rpc_tls_material *material = calloc(1, sizeof(*material));
    if (material == NULL) {
        return FAIL(NO_MEMORY, "certificates");
    }
    TRY(read_text(tls->paths[0], &material->ca));
    TRY(read_text(tls->paths[1], &material->cert));
    TRY(read_text(tls->paths[2], &material->key));
    TRY(check_pair(material));
    *ret_material = TAKE(material);
    return OK;
}

struct status rpc_tls_check(struct rpc_tls *tls)
{
    LOCKED(&tls->mutex);
    OWNED(rpc_tls_material) struct rpc_tls_material *material = NULL;
    return load(tls, &material);
}

struct status rpc_tls_poll(struct rpc_tls *tls, struct rpc_tls_material **ret_material)
{
    LOCKED(&tls->mutex);
    struct stamp stamps[FILES];
    TRY(read_stamps(tls, stamps));
    if (tls->is_loaded && stamps_equal(stamps, tls->stamps)) {
        *ret_material = NULL;
        return OK;
    }
    struct rpc_tls_material *material = NULL;
    TRY(load(tls, &material));
    memcpy(tls->stamps, stamps, sizeof(stamps));
    tls->is_loaded = true;
    *ret_material = material;
    return OK;
}

/* gRPC asks this before each handshake. After a failure it goes on with what it has. */
static grpc_ssl_certificate_config_reload_status
fetch_config(void *user_data, grpc_ssl_server_certificate_config **ret_config)
{
    struct rpc_tls *tls = user_data;
    OWNED(rpc_tls_material) struct rpc_tls_material *material = NULL;
    struct status status = rpc_tls_poll(tls, &material);
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "certificate files cannot be used", LOG_STATUS(status));
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
    }
    if (material == NULL) {
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    grpc_ssl_pem_key_cert_pair pair = {.private_key = material->key, .cert_chain = material->cert};
    *ret_config = grpc_ssl_server_certificate_config_create(material->ca, &pair, 1);
    log_event(LOG_INFO, "certificates loaded", LOG_TEXT("side", "server"));
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

struct status
rpc_tls_server_credentials(struct rpc_tls *tls, grpc_server_credentials **ret_credentials)
{
    grpc_ssl_server_credentials_options *options =
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, fetch_config, tls);
    grpc_server_credentials *credentials =
        options == NULL ? NULL : grpc_ssl_server_credentials_create_with_options(options);
    if (credentials == NULL) {
        return FAIL(INTERNAL, "server credentials");
    }
    *ret_credentials = credentials;
    return OK;
}

/* What a server must be; freed by gRPC with the credentials. */
struct expected_peer {
    char *cluster; /* Owned. */
    enum rpc_role role;
};

static void expected_peer_free(void *user_data)
{
    struct expected_peer *expected = user_data;
    if (expected != NULL) {
        free(expected->cluster);
        free(expected);
    }
}

static int verify_server(const char *target, const char *pem, void *user_data)
{
    const struct expected_peer *expected = user_data;
    struct rpc_peer peer;
    struct status status = rpc_identity_of_pem(bytes_text(pem), expected->cluster, &peer);
    if (status_ok(status) && peer.role == expected->role) {
        return 0;
    }
    if (status_ok(status)) {
        status = FAIL(DENIED, "server has another role");
    }
    log_event(
        LOG_WARN, "server certificate refused", LOG_TEXT("target", target), LOG_STATUS(status));
    return 1;
}

struct status rpc_tls_channel_credentials(
    const struct rpc_tls_material *material, const char *cluster, enum rpc_role role,
    grpc_channel_credentials **ret_credentials)
{
    struct expected_peer *expected = calloc(1, sizeof(*expected));
    if (expected == NULL) {
        return FAIL(NO_MEMORY, "channel credentials");
    }
    expected->role = role;
    expected->cluster = strdup(cluster);
    if (expected->cluster == NULL) {
        expected_peer_free(expected);
        return FAIL(NO_MEMORY, "channel credentials");
    }
    grpc_ssl_pem_key_cert_pair pair = {.private_key = material->key, .cert_chain = material->cert};
    grpc_ssl_verify_peer_options verify = {
        .verify_peer_callback = verify_server,
        .verify_peer_callback_userdata = expected,
        .verify_peer_destruct = expected_peer_free,
    };
    *ret_credentials = grpc_ssl_credentials_create_ex(material->ca, &pair, &verify, NULL);
    CHECK(*ret_credentials != NULL);
    return OK;
}
