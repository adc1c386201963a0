/*
 * seal = "TSL1" | ver u16 (1) | vault_uuid16
 *        | count u16 { kind u8 (1 key file), params len16+bytes,
 *                      KW(D(slot key,"triad/v1/seal",vault_uuid16), root) 40 }
 *        | count u16 { sek_ver u32, KW(D(root,"triad/v1/sek",u32 sek_ver), SEK) 40 }
 */

#include "keystore/seal.h"

#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/crypto/kdf.h"
#include "lib/crypto/key_wrap.h"
#include "lib/crypto/random.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SEAL_VERSION = 1 };

struct seal {
    struct id16 uuid;
    struct secret *root;                /* Owned. */
    struct secret *seks[SEAL_SEKS_MAX]; /* Owned. */
    uint32_t versions[SEAL_SEKS_MAX];
    size_t count;
};

static struct status
slot_kek(const struct secret *slot_key, const struct id16 *uuid, struct secret **ret_kek)
{
    return kdf_derive1(slot_key, "triad/v1/seal", id16_view(uuid), ret_kek);
}

static struct status sek_kek(const struct secret *root, uint32_t version, struct secret **ret_kek)
{
    uint8_t context[4];

    encode_u32(context, version);
    return kdf_derive1(root, "triad/v1/sek", BYTES_ARRAY(context), ret_kek);
}

static struct status
encode_new(const struct id16 *uuid, const struct secret *slot_key, struct buffer *to)
{
    OWNED(secret) struct secret *root = NULL;
    OWNED(secret) struct secret *sek = NULL;
    OWNED(secret) struct secret *root_kek = NULL;
    OWNED(secret) struct secret *own_kek = NULL;
    uint8_t root_wrapped[KEY_WRAP_SIZE];
    uint8_t sek_wrapped[KEY_WRAP_SIZE];

    TRY(secret_new_random(SECRET_KEY_SIZE, &root));
    TRY(secret_new_random(SECRET_KEY_SIZE, &sek));
    TRY(slot_kek(slot_key, uuid, &root_kek));
    TRY(key_wrap(root_kek, root, root_wrapped));
    TRY(sek_kek(root, 1, &own_kek));
    TRY(key_wrap(own_kek, sek, sek_wrapped));
    buffer_add_text(to, "TSL1");
    buffer_add_u16(to, SEAL_VERSION);
    buffer_add(to, id16_view(uuid));
    buffer_add_u16(to, 1);
    buffer_add_u8(to, SEAL_SLOT_KEYFILE);
    buffer_add_u16(to, 0);
    buffer_add(to, BYTES_ARRAY(root_wrapped));
    buffer_add_u16(to, 1);
    buffer_add_u32(to, 1);
    buffer_add(to, BYTES_ARRAY(sek_wrapped));
    return buffer_status(to);
}

struct status seal_create(int dir_fd, const struct secret *slot_key)
{
    struct id16 uuid;
    BUFFER(encoded, SEAL_FILE_MAX);

    if (faccessat(dir_fd, "seal", F_OK, 0) == 0) {
        return FAIL(EXISTS, "vault is sealed already");
    }
    TRY(random_bytes(uuid.bytes, ID16_SIZE));
    TRY(encode_new(&uuid, slot_key, &encoded));
    return file_replace(dir_fd, "seal", buffer_bytes(&encoded), 0600);
}

/* Try the slot; false where it is another key's. */
static struct status
try_slot(struct seal *seal, uint8_t kind, struct bytes wrapped, const struct secret *slot_key)
{
    OWNED(secret) struct secret *kek = NULL;

    if (kind != SEAL_SLOT_KEYFILE || seal->root != NULL) {
        return OK;
    }
    TRY(slot_kek(slot_key, &seal->uuid, &kek));
    struct status status = key_unwrap(kek, wrapped, &seal->root);
    return status.code == STATUS_CORRUPT ? OK : status; /* Another slot's key. */
}

static struct status
read_slots(struct seal *seal, struct reader *reader, const struct secret *slot_key)
{
    size_t count = reader_u16(reader);

    if (count == 0 || count > SEAL_SLOTS_MAX) {
        return FAIL(CORRUPT, "seal file: number of slots");
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t kind = reader_u8(reader);
        reader_take(reader, reader_u16(reader));
        struct bytes wrapped = reader_take(reader, KEY_WRAP_SIZE);
        if (reader_failed(reader)) {
            return FAIL(CORRUPT, "seal file: slots");
        }
        TRY(try_slot(seal, kind, wrapped, slot_key));
    }
    return seal->root != NULL ? OK : FAIL(DENIED, "no slot of the seal opens with this key file");
}

static struct status read_seks(struct seal *seal, struct reader *reader)
{
    size_t count = reader_u16(reader);

    if (count == 0 || count > SEAL_SEKS_MAX) {
        return FAIL(CORRUPT, "seal file: number of storage keys");
    }
    for (size_t i = 0; i < count; i++) {
        OWNED(secret) struct secret *kek = NULL;
        uint32_t version = reader_u32(reader);
        struct bytes wrapped = reader_take(reader, KEY_WRAP_SIZE);
        if (reader_failed(reader) || (i > 0 && version <= seal->versions[i - 1])) {
            return FAIL(CORRUPT, "seal file: storage keys");
        }
        TRY(sek_kek(seal->root, version, &kek));
        TRY(key_unwrap(kek, wrapped, &seal->seks[i]));
        seal->versions[i] = version;
        seal->count++;
    }
    return reader_finish(reader) ? OK : FAIL(CORRUPT, "seal file: bytes left over");
}

struct status seal_open(int dir_fd, const struct secret *slot_key, struct seal **ret_seal)
{
    BUFFER(encoded, SEAL_FILE_MAX);

    TRY(file_read(dir_fd, "seal", &encoded));
    OWNED(seal) struct seal *seal = calloc(1, sizeof(*seal));
    if (seal == NULL) {
        return FAIL(NO_MEMORY, "seal");
    }
    struct reader reader = reader_of(buffer_bytes(&encoded));
    struct bytes magic = reader_take(&reader, 4);
    uint16_t version = reader_u16(&reader);
    reader_copy(&reader, seal->uuid.bytes, ID16_SIZE);
    if (reader_failed(&reader) || !bytes_equal(magic, bytes_text("TSL1")) ||
        version != SEAL_VERSION) {
        return FAIL(CORRUPT, "not a seal file of a known version");
    }
    TRY(read_slots(seal, &reader, slot_key));
    TRY(read_seks(seal, &reader));
    *ret_seal = TAKE(seal);
    return OK;
}

void seal_free(struct seal *seal)
{
    if (seal == NULL) {
        return;
    }
    secret_free(seal->root);
    for (size_t i = 0; i < seal->count; i++) {
        secret_free(seal->seks[i]);
    }
    free(seal);
}

const struct id16 *seal_vault_uuid(const struct seal *seal)
{
    return &seal->uuid;
}

const struct secret *seal_root(const struct seal *seal)
{
    return seal->root;
}

size_t seal_sek_count(const struct seal *seal)
{
    return seal->count;
}

const struct secret *seal_sek(const struct seal *seal, size_t index, uint32_t *ret_version)
{
    *ret_version = seal->versions[index];
    return seal->seks[index];
}

/* Give the whole file its name, unless that exists by now: another init may have been faster. */
static struct status name_key_file(int dir_fd, const char *temporary, const char *name)
{
    int result = renameat2(dir_fd, temporary, dir_fd, name, RENAME_NOREPLACE);

    if (result != 0 && errno == EINVAL) { /* A file system without that. */
        result = renameat(dir_fd, temporary, dir_fd, name);
    }
    return result == 0 ? file_sync_dir(dir_fd) : FAIL_ERRNO(errno, "rename key file");
}

static struct status create_in(int dir_fd, const char *name)
{
    OWNED(secret) struct secret *key = NULL;
    char temporary[NAME_MAX + 1];

    if (snprintf(temporary, sizeof(temporary), "%s.new", name) >= (int)sizeof(temporary)) {
        return FAIL(INVALID, "name of the key file is too long");
    }
    if (unlinkat(dir_fd, temporary, 0) != 0 && errno != ENOENT) {
        return FAIL_ERRNO(errno, "remove old temporary key file");
    }
    OWNED(fd)
    int fd = openat(
        dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)0600);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "create key file");
    }
    TRY(secret_new_random(SECRET_KEY_SIZE, &key));
    TRY(file_write_at(fd, secret_bytes(key), 0));
    if (fsync(fd) != 0) {
        return FAIL_ERRNO(errno, "sync key file");
    }
    return name_key_file(dir_fd, temporary, name);
}

/* After a crash the whole key is there under its name, or none. */
static struct status create_key_file(const char *path)
{
    char dir[PATH_MAX];
    char name[PATH_MAX];
    OWNED(fd) int dir_fd = -1;

    if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir)) {
        return FAIL(INVALID, "path of the key file is too long");
    }
    memcpy(name, dir, sizeof(name)); /* Both calls may change what they are given. */
    TRY(file_open_dir(dirname(dir), false, &dir_fd));
    return create_in(dir_fd, basename(name));
}

struct status seal_read_key_file(const char *path, bool create, struct secret **ret_key)
{
    OWNED(secret) struct secret *key = NULL;
    struct stat info;

    if (create && access(path, F_OK) != 0) {
        TRY(create_key_file(path));
    }
    OWNED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        return FAIL_ERRNO(errno, "open the seal's key file");
    }
    if (info.st_size != SECRET_KEY_SIZE) {
        return FAIL(INVALID, "the seal's key file must hold exactly 32 bytes");
    }
    TRY(secret_new(SECRET_KEY_SIZE, &key));
    TRY(file_read_at(fd, secret_data(key), SECRET_KEY_SIZE, 0));
    *ret_key = TAKE(key);
    return OK;
}
