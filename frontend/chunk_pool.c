#include "frontend/chunk_pool.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct pool_class;

struct chunk_buffer {
    atomic_uint references;
    uint8_t *data;             /* Part of the class's region. */
    struct pool_class *class;  /* Outlives us. */
    struct chunk_buffer *next; /* In the free list. */
};

/* A thread that waits for a buffer; stands on its stack. */
struct pool_waiter {
    struct chunk_buffer *given;
    pthread_cond_t is_given;
    struct pool_waiter *next;
};

struct pool_class {
    pthread_mutex_t mutex;
    size_t size;
    unsigned count;
    unsigned used;
    uint8_t *region; /* Owned: mmap, touched only as far as buffers are filled. */
    size_t region_size;
    struct chunk_buffer *buffers; /* Owned: count of them. */
    struct chunk_buffer *free;
    struct pool_waiter *waiters; /* First come, first served. */
};

struct chunk_pool {
    struct pool_class small;
    struct pool_class large;
};

static struct status class_init(struct pool_class *class, size_t size, unsigned count)
{
    const size_t page = 4096;
    pthread_mutex_init(&class->mutex, NULL);
    class->size = (size + page - 1) / page * page;
    class->count = count;
    class->region_size = class->size * count;
    if (count == 0) {
        return OK;
    }
    class->buffers = calloc(count, sizeof(*class->buffers));
    if (class->buffers == NULL) {
        return FAIL(NO_MEMORY, "chunk buffers");
    }
    void *region = mmap(
        NULL, class->region_size, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) {
        return FAIL(NO_MEMORY, "chunk buffers");
    }
    class->region = region;
    /* Plaintext passes through here: no core file, no matter how it was asked for. */
    IGNORE(madvise(region, class->region_size, MADV_DONTDUMP));
    for (unsigned i = count; i > 0; i--) {
        struct chunk_buffer *buffer = &class->buffers[i - 1];
        buffer->data = class->region + (i - 1) * class->size;
        buffer->class = class;
        buffer->next = class->free;
        class->free = buffer;
    }
    return OK;
}

static void class_done(struct pool_class *class)
{
    CHECK(class->used == 0);
    if (class->region != NULL) {
        munmap(class->region, class->region_size);
    }
    free(class->buffers);
    pthread_mutex_destroy(&class->mutex);
}

struct status chunk_pool_new(const struct chunk_pool_options *options, struct chunk_pool **ret_pool)
{
    CHECK(options->small_size <= options->large_size);

    OWNED(chunk_pool) struct chunk_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return FAIL(NO_MEMORY, "chunk pool");
    }
    struct status small = class_init(&pool->small, options->small_size, options->small_count);
    struct status large = class_init(&pool->large, options->large_size, options->large_count);
    TRY(small);
    TRY(large);

    *ret_pool = TAKE(pool);
    return OK;
}

void chunk_pool_free(struct chunk_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    class_done(&pool->small);
    class_done(&pool->large);
    free(pool);
}

static void waiter_remove(struct pool_class *class, const struct pool_waiter *waiter)
{
    for (struct pool_waiter **at = &class->waiters; *at != NULL; at = &(*at)->next) {
        if (*at == waiter) {
            *at = waiter->next;
            return;
        }
    }
}

/* Under the mutex: wait in line until somebody hands a buffer over. */
static struct chunk_buffer *class_wait(struct pool_class *class, int64_t deadline_ms)
{
    struct pool_waiter waiter = {.given = NULL};
    task_condition_init(&waiter.is_given);
    struct pool_waiter **end = &class->waiters;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = &waiter;

    while (waiter.given == NULL) {
        if (!task_condition_wait(&waiter.is_given, &class->mutex, deadline_ms)) {
            break;
        }
    }
    if (waiter.given == NULL) {
        waiter_remove(class, &waiter);
    }
    pthread_cond_destroy(&waiter.is_given);
    return waiter.given;
}

struct status chunk_pool_take(
    struct chunk_pool *pool, size_t size, int64_t deadline_ms, struct chunk_buffer **ret_buffer)
{
    struct pool_class *class = size <= pool->small.size ? &pool->small : &pool->large;
    if (size > class->size) {
        return FAIL(TOO_LARGE, "no chunk buffer is as large");
    }

    LOCKED(&class->mutex);
    struct chunk_buffer *buffer = class->free;
    if (buffer != NULL) {
        class->free = buffer->next;
        class->used++;
    } else if (deadline_ms != 0) {
        buffer = class_wait(class, deadline_ms);
    }
    if (buffer == NULL) {
        return FAIL(BUSY, "all chunk buffers are in use");
    }
    buffer->next = NULL;
    atomic_store(&buffer->references, 1);

    *ret_buffer = buffer;
    return OK;
}

unsigned chunk_pool_used(struct chunk_pool *pool)
{
    unsigned used = 0;
    struct pool_class *classes[] = {&pool->small, &pool->large};
    for (size_t i = 0; i < 2; i++) {
        LOCKED(&classes[i]->mutex);
        used += classes[i]->used;
    }
    return used;
}

uint8_t *chunk_buffer_data(struct chunk_buffer *buffer)
{
    return buffer->data;
}

size_t chunk_buffer_size(const struct chunk_buffer *buffer)
{
    return buffer->class->size;
}

struct chunk_buffer *chunk_buffer_ref(struct chunk_buffer *buffer)
{
    CHECK(atomic_fetch_add(&buffer->references, 1) > 0);
    return buffer;
}

void chunk_buffer_unref(struct chunk_buffer *buffer)
{
    if (buffer == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub(&buffer->references, 1);
    CHECK(before > 0);
    if (before > 1) {
        return;
    }

    struct pool_class *class = buffer->class;
    LOCKED(&class->mutex);
    struct pool_waiter *waiter = class->waiters;
    if (waiter != NULL) { /* Handed over: it never counts as free in between. */
        class->waiters = waiter->next;
        waiter->given = buffer;
        pthread_cond_signal(&waiter->is_given);
        return;
    }
    buffer->next = class->free;
    class->free = buffer;
    class->used--;
}
