#include "cli/cli_commands.h"

#define CONFIG_OPTION                                                                              \
    {                                                                                              \
        "config", "FILE", 0, "cluster file (default ~/.triad/triad.conf)"                          \
    }
#define ADMIN_KEY_OPTIONS                                                                          \
    {"admin-key-file", "FILE", 0, "file with the tenant's admin key"},                             \
    {                                                                                              \
        "admin-key", "KEY", 0, "the key itself (visible to others on this host: prefer the file)"  \
    }

const struct cli_command cli_commands[] = {
    {"pki init",
     "make the certificate authorities and the keyset root",
     "Makes in --dir the offline root, the issuing CAs `services` and `operators` under it, the\n"
     "separate `public` CA of the S3 port and the offline keyset root. Keep the directory off\n"
     "every host of the cluster; only certificates leave it.",
     command_pki_init,
     {{"dir", "DIR", CLI_MANDATORY, "where; made with mode 0700, must not hold a PKI"},
      {"cluster", "NAME", CLI_MANDATORY, "the cluster's name, part of every identity"}}},
    {"pki issue",
     "issue a certificate",
     "Issues a certificate and key into --out: cert.pem (leaf and issuer), key.pem, ca.pem.\n"
     "Roles: frontend, blobnode, contentdb, keystore, steward, operator; or public, for the S3\n"
     "port. The TLS name of an internal certificate is ID.ROLE.triad.",
     command_pki_issue,
     {{"dir", "DIR", CLI_MANDATORY, "the directory of pki init"},
      {"role", "ROLE", CLI_MANDATORY, "the daemon's role, operator or public"},
      {"id", "ID", CLI_MANDATORY, "node id: letters, digits, - and _"},
      {"out", "DIR", CLI_MANDATORY, "where the files go; made if absent"},
      {"dns", "NAME", CLI_REPEATED, "a further DNS name"},
      {"ip", "ADDRESS", CLI_REPEATED, "an IP address"},
      {"days", "N", 0, "life in days (default 90; public 365)"}}},
    {"pki delegate",
     "let the key store's online key sign keysets",
     "Signs the key store's online keyset key with the offline root, for at most a year, and\n"
     "installs the delegation. Offline: --request FILE (the SPKI that `keystore init` wrote) and\n"
     "--out FILE; then --install FILE from where the key store is reached.",
     command_pki_delegate,
     {{"dir", "DIR", 0, "the directory of pki init"},
      {"request", "FILE", 0, "offline: the key store's request"},
      {"out", "FILE", 0, "offline: where the delegation goes"},
      {"install", "FILE", 0, "install a delegation signed offline"},
      {"days", "N", 0, "life in days (default 365)"},
      CONFIG_OPTION}},
    {"cert add",
     "register a service certificate with the key store",
     "What opens keys is refused to a certificate that is not registered.",
     command_cert_add,
     {{"file", "PEM", CLI_MANDATORY, "the certificate"}, CONFIG_OPTION}},
    {"cert list", "list registered certificates", "", command_cert_list, {CONFIG_OPTION}},
    {"cert remove",
     "revoke a certificate at once",
     "Removes it from the registry: the key store refuses it from then on.",
     command_cert_remove,
     {{"uri", "URI", 0, "every certificate of this SAN URI"},
      {"sha256", "HEX", 0, "the certificate with this fingerprint"},
      CONFIG_OPTION}},
    {"cert renew",
     "register the successor of a service's own certificate",
     "Run with the service's present certificate in the cluster file: the successor must have the\n"
     "same SAN URI. Both live for 24 hours.",
     command_cert_renew,
     {{"file", "PEM", CLI_MANDATORY, "the new certificate"}, CONFIG_OPTION}},
    {"shard create",
     "allow a content DB shard to be opened for the first time",
     "Prints the 48-digit recovery code of the shard's database key, once. Keep it off every\n"
     "host of the shard.",
     command_shard_create,
     {{"shard", "N", 0, "its number (default 0)"}, CONFIG_OPTION}},
    {"account add",
     "add a blob account to the cluster",
     "Makes its keys at the key store, formats it on the blob node and makes it visible in the\n"
     "content DB. Idempotent on --account.",
     command_account_add,
     {{"address", "HOST:PORT", CLI_MANDATORY, "the blob node"},
      {"tls-name", "NAME", CLI_MANDATORY, "the blob node's TLS name (ID.blobnode.triad)"},
      {"account", "HEX", 0, "16 bytes in hexadecimal (default: drawn at random)"},
      {"failure-domain", "NAME", 0, "such as a rack or a site (default: the node)"},
      CONFIG_OPTION}},
    {"account list", "list blob accounts", "", command_account_list, {CONFIG_OPTION}},
    {"tenant create",
     "make a tenant",
     "Prints the tenant's admin key, once: users are made only with it.",
     command_tenant_create,
     {{"name", "NAME", CLI_MANDATORY, "the tenant's name"}, CONFIG_OPTION}},
    {"tenant list", "list tenants", "", command_tenant_list, {CONFIG_OPTION}},
    {"user create",
     "make an S3 user of a tenant",
     "Prints the access key and the secret key, once. Without --allow the user may do everything\n"
     "in the tenant's buckets. --allow ACTIONS:RESOURCE, as read,list:photos/2026/* ; actions are\n"
     "read, write, delete, list, admin and all; a resource is BUCKET, BUCKET/PREFIX* or *.",
     command_user_create,
     {{"tenant", "NAME", CLI_MANDATORY, "the tenant"},
      {"name", "NAME", CLI_MANDATORY, "the user's name"},
      ADMIN_KEY_OPTIONS,
      {"allow", "POLICY", CLI_REPEATED, "what the user may do"},
      CONFIG_OPTION}},
    {"user list",
     "list a tenant's users",
     "",
     command_user_list,
     {{"tenant", "NAME", CLI_MANDATORY, "the tenant"}, CONFIG_OPTION}},
    {"user disable",
     "disable a user at once",
     "",
     command_user_disable,
     {{"tenant", "NAME", CLI_MANDATORY, "the tenant"},
      {"access-key", "KEY", CLI_MANDATORY, "the user's access key"},
      ADMIN_KEY_OPTIONS,
      CONFIG_OPTION}},
    {"status", "show the state of every part", "", command_status, {CONFIG_OPTION}},
    {"doctor",
     "find what is wrong with the daemons of this host, and with the cluster",
     "Looks at each --daemon-config as a daemon on this host has it: options, files and their "
     "modes,\n"
     "certificates, disk, limits, ports, peers; run it as root or as the daemon's user. With\n"
     "--config, or without any of these options, it also looks at the cluster as an operator sees\n"
     "it: who answers, versions, clocks, certificates, keysets, accounts. Frontends and stewards\n"
     "are asked through --admin. Nothing is changed. Exit code 1 when something FAILs.",
     command_doctor,
     {{"daemon-config", "FILE", CLI_REPEATED, "a daemon's configuration file"},
      {"role", "ROLE", 0, "whose it is, where its keys do not tell"},
      {"admin", "HOST:PORT", CLI_REPEATED, "the admin_listen of a daemon anywhere"},
      CONFIG_OPTION}},
    {.words = NULL},
};
