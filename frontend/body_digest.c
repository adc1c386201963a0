#include "frontend/body_digest.h"

#include "lib/base/check.h"
#include "lib/base/task.h"
#include "lib/crypto/digest.h"

#include <stdlib.h>

enum {
    RANGES_MAX = 128,
    THREADS_MAX = 64,
    TURN_BYTES = 256 * 1024, /* Worth waking a helper for, and done in one turn. */
    TURN_RANGES = 64,
};

/*
 *   IDLE -> QUEUED -> RUNNING -> IDLE or QUEUED
 *
 * A stream with a turn's worth of ranges to do, or somebody waiting for them, is QUEUED; the helper
 * that takes it is alone with it.
 */
enum state { IDLE, QUEUED, RUNNING };

struct body_digest {
    struct body_digest_pool *pool; /* Outlives us; NULL: work at once. */
    struct digest *md5;            /* Owned; NULL if not wanted. */
    struct digest *sha256;         /* Owned; NULL if not wanted. */
    unsigned kinds;
    /* Under the pool's mutex: */
    enum state state;
    struct body_digest *next; /* In the pool's queue. */
    pthread_cond_t progress;
    struct bytes ranges[RANGES_MAX]; /* A ring of what is added and not done. */
    size_t first;
    size_t count;
    size_t turn;    /* How many of them a helper is at. */
    uint64_t added; /* Bytes. */
    uint64_t done;
    uint64_t awaited; /* Tell of progress once so many bytes are done. */
    struct status failed;
};

struct body_digest_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct body_digest *queue_first;
    struct body_digest *queue_last;
    bool is_stopping;
    unsigned threads;
    struct task tasks[THREADS_MAX];
};

static struct status digest_range(struct body_digest *digest, struct bytes range)
{
    if (digest->md5 != NULL) {
        TRY(digest_add(digest->md5, range));
    }
    if (digest->sha256 != NULL) {
        TRY(digest_add(digest->sha256, range));
    }
    return OK;
}

/* The mutex is held. */
static void enqueue(struct body_digest_pool *pool, struct body_digest *digest)
{
    digest->state = QUEUED;
    digest->next = NULL;
    if (pool->queue_last != NULL) {
        pool->queue_last->next = digest;
    } else {
        pool->queue_first = digest;
    }
    pool->queue_last = digest;
    pthread_cond_signal(&pool->work);
}

/* The mutex is held. */
static struct body_digest *dequeue(struct body_digest_pool *pool)
{
    struct body_digest *digest = pool->queue_first;
    pool->queue_first = digest->next;
    if (pool->queue_first == NULL) {
        pool->queue_last = NULL;
    }
    return digest;
}

/* How many ranges make the next turn of a stream. */
static size_t turn_of(const struct body_digest *digest)
{
    uint64_t size = 0;
    size_t count = 0;
    while (count < digest->count && count < TURN_RANGES && size < TURN_BYTES) {
        size += digest->ranges[(digest->first + count) % RANGES_MAX].size;
        count++;
    }
    return count;
}

/* Do the first ranges of a stream, with the mutex released meanwhile: nobody else takes them out,
 * and what is added goes behind them. */
static void do_turn(struct body_digest_pool *pool, struct body_digest *digest)
{
    size_t first = digest->first;
    size_t turn = turn_of(digest);
    digest->state = RUNNING;
    digest->turn = turn;
    pthread_mutex_unlock(&pool->mutex);
    struct status status = OK;
    uint64_t size = 0;
    for (size_t i = 0; i < turn; i++) {
        struct bytes range = digest->ranges[(first + i) % RANGES_MAX];
        size += range.size;
        if (status_ok(status)) {
            status = digest_range(digest, range);
        }
    }
    pthread_mutex_lock(&pool->mutex);
    if (!status_ok(status)) {
        digest->failed = status;
    }
    digest->first = (first + turn) % RANGES_MAX;
    digest->count -= turn;
    digest->turn = 0;
    digest->done += size;
    digest->state = IDLE;
    if (digest->count > 0) {
        enqueue(pool, digest);
    }
    if (digest->count == 0 || digest->done >= digest->awaited) {
        pthread_cond_broadcast(&digest->progress);
    }
}

static void run_helper(void *context)
{
    struct body_digest_pool *pool = context;
    LOCKED(&pool->mutex);
    for (;;) {
        while (pool->queue_first == NULL) {
            if (pool->is_stopping) {
                return;
            }
            pthread_cond_wait(&pool->work, &pool->mutex);
        }
        do_turn(pool, dequeue(pool));
    }
}

struct status body_digest_pool_start(unsigned threads, struct body_digest_pool **ret_pool)
{
    if (threads == 0 || threads > THREADS_MAX) {
        return FAIL(INVALID, "digest threads are 1 to 64");
    }
    OWNED(body_digest_pool) struct body_digest_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return FAIL(NO_MEMORY, "digest pool");
    }
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    for (; pool->threads < threads; pool->threads++) {
        TRY(task_start(&pool->tasks[pool->threads], "body-digest", run_helper, pool));
    }
    *ret_pool = TAKE(pool);
    return OK;
}

void body_digest_pool_free(struct body_digest_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    {
        LOCKED(&pool->mutex);
        pool->is_stopping = true;
        pthread_cond_broadcast(&pool->work);
    }
    for (unsigned i = 0; i < pool->threads; i++) {
        task_join(&pool->tasks[i]);
    }
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->work);
    free(pool);
}

struct status
body_digest_new(struct body_digest_pool *pool, unsigned kinds, struct body_digest **ret_digest)
{
    OWNED(body_digest) struct body_digest *digest = calloc(1, sizeof(*digest));
    if (digest == NULL) {
        return FAIL(NO_MEMORY, "body digest");
    }
    digest->pool = pool;
    digest->kinds = kinds;
    pthread_cond_init(&digest->progress, NULL);
    if ((kinds & BODY_DIGEST_MD5) != 0) {
        TRY(digest_new(DIGEST_MD5, &digest->md5));
    }
    if ((kinds & BODY_DIGEST_SHA256) != 0) {
        TRY(digest_new(DIGEST_SHA256, &digest->sha256));
    }
    *ret_digest = TAKE(digest);
    return OK;
}

/* Let a helper have the ranges; the mutex is held. */
static void hand_over(struct body_digest *digest)
{
    if (digest->state == IDLE) {
        enqueue(digest->pool, digest);
    }
}

/* Sleep until upto bytes or all are done, or less; there are ranges, and the mutex is held. */
static void await(struct body_digest *digest, uint64_t upto)
{
    digest->awaited = upto;
    hand_over(digest);
    pthread_cond_wait(&digest->progress, &digest->pool->mutex);
}

struct status body_digest_add(struct body_digest *digest, struct bytes bytes)
{
    if (digest->kinds == 0 || digest->pool == NULL) {
        digest->done += bytes.size;
        return digest_range(digest, bytes);
    }
    if (bytes.size == 0) {
        return OK;
    }
    LOCKED(&digest->pool->mutex);
    while (digest->count == RANGES_MAX) {
        await(digest, 0);
    }
    digest->ranges[(digest->first + digest->count) % RANGES_MAX] = bytes;
    digest->count++;
    digest->added += bytes.size;
    if (digest->added - digest->done >= TURN_BYTES || digest->count >= TURN_RANGES) {
        hand_over(digest);
    }
    return digest->failed;
}

struct status body_digest_wait(struct body_digest *digest, uint64_t upto)
{
    if (digest->kinds == 0 || digest->pool == NULL) {
        return OK;
    }
    LOCKED(&digest->pool->mutex);
    while (digest->done < upto && digest->count > 0) {
        await(digest, upto);
    }
    CHECK(digest->done >= upto);
    return digest->failed;
}

struct status body_digest_end(struct body_digest *digest, struct body_digest_values *ret_values)
{
    if (digest->pool != NULL) {
        LOCKED(&digest->pool->mutex);
        while (digest->count > 0) {
            await(digest, digest->added);
        }
        TRY(digest->failed);
    }
    struct body_digest_values values = {.kinds = digest->kinds};
    if (digest->md5 != NULL) {
        TRY(digest_end(digest->md5, values.md5));
    }
    if (digest->sha256 != NULL) {
        TRY(digest_end(digest->sha256, values.sha256));
    }
    *ret_values = values;
    return OK;
}

/* Take a queued stream out of the pool's queue; the mutex is held. */
static void remove_queued(struct body_digest_pool *pool, struct body_digest *digest)
{
    struct body_digest *before = NULL;
    for (struct body_digest *at = pool->queue_first; at != digest; at = at->next) {
        before = at;
    }
    if (before != NULL) {
        before->next = digest->next;
    } else {
        pool->queue_first = digest->next;
    }
    if (pool->queue_last == digest) {
        pool->queue_last = before;
    }
    digest->state = IDLE;
}

void body_digest_free(struct body_digest *digest)
{
    if (digest == NULL) {
        return;
    }
    if (digest->pool != NULL) {
        LOCKED(&digest->pool->mutex);
        /* At most the turn under work is left, which the helper ends; nothing follows it. */
        digest->count = digest->turn;
        while (digest->state == RUNNING) {
            pthread_cond_wait(&digest->progress, &digest->pool->mutex);
        }
        if (digest->state == QUEUED) {
            remove_queued(digest->pool, digest);
        }
    }
    pthread_cond_destroy(&digest->progress);
    digest_free(digest->md5);
    digest_free(digest->sha256);
    free(digest);
}
