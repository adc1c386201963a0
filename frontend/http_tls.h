#pragma once

/* The server's TLS: versions, ciphers, certificate. Internal to http_*. */

#include "lib/base/status.h"

#include <openssl/ssl.h>

/* A context for the PEM chain and key: TLS 1.2 with ECDHE and AEAD only, or TLS 1.3. INVALID when
 * the files do not hold a certificate and its key. Free with SSL_CTX_free. */
MUST_CHECK struct status
http_tls_new(const char *certificate_file, const char *key_file, SSL_CTX **ret_tls);
