/*
 * A load of PUTs or GETs over HTTPS, one TLS connection and one thread a stream.
 *
 *   s3_bench --port P --ca FILE --credentials FILE --bucket B --operation put|get
 *            --size BYTES --streams N --count OBJECTS
 *
 * Bodies are sent UNSIGNED-PAYLOAD over TLS, as rclone and minio clients do. GETs read the names
 * that a put with the same numbers wrote. Prints one line of JSON: wall seconds, operations, bytes,
 * latencies and this process's own CPU seconds.
 */

#include "bench/s3_stream.h"
#include "lib/base/clock.h"

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { STREAMS_MAX = 1024 };

struct bench {
    struct s3_stream_options stream;
    bool is_put;
    size_t size;
    long count;
    int streams;
    atomic_long next;
    atomic_long failed;
    int64_t *latencies_us; /* Owned; by operation. */
};

static void *run(void *argument)
{
    struct bench *bench = argument;
    struct s3_stream *stream = NULL;
    for (;;) {
        long number = atomic_fetch_add(&bench->next, 1);
        if (number >= bench->count) {
            break;
        }
        char key[64];
        snprintf(key, sizeof(key), "bench/%zu/%ld", bench->size, number);
        int64_t start = clock_monotonic_us();
        struct status status = stream != NULL ? OK : s3_stream_open(&bench->stream, &stream);
        if (status_ok(status)) {
            status = bench->is_put ? s3_stream_put(stream, key, bench->size)
                                   : s3_stream_get(stream, key, bench->size);
        }
        bench->latencies_us[number] = clock_monotonic_us() - start;
        if (!status_ok(status)) {
            if (atomic_fetch_add(&bench->failed, 1) == 0) {
                fprintf(stderr, "s3_bench: %s: %s (first failure)\n", key, status.where);
            }
            s3_stream_free(stream);
            stream = NULL;
        }
    }
    s3_stream_free(stream);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void report(struct bench *bench, double seconds)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
                 (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    size_t count = (size_t)bench->count;
    qsort(bench->latencies_us, count, sizeof(int64_t), compare);
    printf(
        "{\"operation\": \"%s\", \"size\": %zu, \"streams\": %d, \"count\": %ld, \"failed\": %ld, "
        "\"seconds\": %.3f, \"per_second\": %.1f, \"mb_per_second\": %.1f, \"p50_ms\": %.2f, "
        "\"p99_ms\": %.2f, \"client_cpu_s\": %.2f}\n",
        bench->is_put ? "put" : "get", bench->size, bench->streams, bench->count,
        atomic_load(&bench->failed), seconds, (double)bench->count / seconds,
        (double)bench->count * (double)bench->size / 1e6 / seconds,
        (double)bench->latencies_us[count / 2] / 1e3,
        (double)bench->latencies_us[count * 99 / 100] / 1e3, cpu);
}

static bool parse(int argc, char **argv, struct bench *bench)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"ca", required_argument, NULL, 'a'},
        {"credentials", required_argument, NULL, 'c'},
        {"bucket", required_argument, NULL, 'b'},
        {"operation", required_argument, NULL, 'o'},
        {"size", required_argument, NULL, 's'},
        {"streams", required_argument, NULL, 'n'},
        {"count", required_argument, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p':
            bench->stream.port = (int)strtol(optarg, NULL, 10);
            break;
        case 'a':
            bench->stream.ca_file = optarg;
            break;
        case 'c':
            bench->stream.credentials_file = optarg;
            break;
        case 'b':
            bench->stream.bucket = optarg;
            break;
        case 'o':
            bench->is_put = strcmp(optarg, "put") == 0;
            break;
        case 's':
            bench->size = strtoul(optarg, NULL, 10);
            break;
        case 'n':
            bench->streams = (int)strtol(optarg, NULL, 10);
            break;
        case 'k':
            bench->count = strtol(optarg, NULL, 10);
            break;
        default:
            return false;
        }
    }
    return bench->stream.port > 0 && bench->stream.ca_file != NULL &&
           bench->stream.credentials_file != NULL && bench->stream.bucket != NULL &&
           bench->streams > 0 && bench->streams <= STREAMS_MAX && bench->count > 0;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    pthread_t threads[STREAMS_MAX];
    if (!parse(argc, argv, &bench)) {
        fprintf(stderr, "s3_bench: an option is missing or wrong; see the head of s3_bench.c\n");
        return EXIT_FAILURE;
    }
    bench.latencies_us = calloc((size_t)bench.count, sizeof(int64_t));
    if (bench.latencies_us == NULL) {
        return EXIT_FAILURE;
    }
    int64_t start = clock_monotonic_us();
    for (int i = 0; i < bench.streams; i++) {
        if (pthread_create(&threads[i], NULL, run, &bench) != 0) {
            return EXIT_FAILURE;
        }
    }
    for (int i = 0; i < bench.streams; i++) {
        pthread_join(threads[i], NULL);
    }
    report(&bench, (double)(clock_monotonic_us() - start) / 1e6);
    free(bench.latencies_us);
    return atomic_load(&bench.failed) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
