/* The header is durable before the first use, keeps its id for ever, and is of one shard. */

#include "contentdb/shard_header.h"

#include "lib/base/file.h"
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    int dir_fd;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.dir = "/tmp/shard_header_XXXXXX"};
    assert_non_null(mkdtemp(fixture.dir));
    assert_ok(file_open_dir(fixture.dir, false, &fixture.dir_fd));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlinkat(f->dir_fd, "header", 0);
    close(f->dir_fd);
    return rmdir(f->dir);
}

static void the_id_is_drawn_once(void **state)
{
    struct fixture *f = *state;
    struct shard_header first;
    struct shard_header second;
    assert_ok(shard_header_load(f->dir_fd, 3, &first));
    assert_ok(shard_header_load(f->dir_fd, 3, &second));
    assert_false(id16_is_zero(&first.db_uuid));
    assert_true(id16_equal(&first.db_uuid, &second.db_uuid));
    assert_int_equal(second.deks_count, 0);
    assert_status(shard_header_load(f->dir_fd, 4, &second), STATUS_CORRUPT);
}

static void deks_are_kept(void **state)
{
    struct fixture *f = *state;
    struct shard_header header;
    struct shard_header back;
    struct key_shard shard = {.deks_count = 2};
    for (uint8_t i = 0; i < 2; i++) {
        shard.deks[i].wrapped = (struct key_shard_wrapped){
            .version = i + 1u, .wrapped = {i}, .wrapped_size = 40, .recovery_size = 40};
    }
    assert_ok(shard_header_load(f->dir_fd, 0, &header));
    assert_ok(shard_header_update(f->dir_fd, &header, &shard));
    assert_ok(shard_header_load(f->dir_fd, 0, &back));
    assert_int_equal(back.deks_count, 2);
    assert_int_equal(back.deks[1].version, 2);
    assert_int_equal(back.deks[1].wrapped[0], 1);
    assert_int_equal(back.deks[0].recovery_size, 40);
}

static void a_damaged_header_is_refused(void **state)
{
    struct fixture *f = *state;
    struct shard_header header;
    BUFFER(encoded, 4096);
    assert_ok(shard_header_load(f->dir_fd, 0, &header));
    shard_header_encode(&header, &encoded);
    for (size_t size = 0; size < encoded.size; size++) {
        assert_status(shard_header_decode(bytes_of(encoded.data, size), &header), STATUS_CORRUPT);
    }
    buffer_add_u8(&encoded, 0);
    assert_status(shard_header_decode(buffer_bytes(&encoded), &header), STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_id_is_drawn_once, setup, teardown),
        cmocka_unit_test_setup_teardown(deks_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_header_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("shard_header", tests, NULL, NULL);
}
