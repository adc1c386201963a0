#include "lib/telemetry/metric.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct metric *first; /* In the order of registration. */
static struct metric **last = &first;

void metric_register(struct metric *metric)
{
    pthread_mutex_lock(&mutex);
    metric->next = NULL;
    *last = metric;
    last = &metric->next;
    pthread_mutex_unlock(&mutex);
}

static void expose_head(struct buffer *text, const char *name, const char *kind, const char *help)
{
    buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void expose_gauge(struct buffer *text, const char *name, const char *help, int64_t value)
{
    expose_head(text, name, "gauge", help);
    buffer_printf(text, "%s %" PRId64 "\n", name, value);
}

static int64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    long total = 0;
    long resident = 0;
    int count = fscanf(file, "%ld %ld", &total, &resident);
    fclose(file);
    return count == 2 ? (int64_t)resident * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return -1; /* A process that may not be dumped cannot look, unless it is root's. */
    }
    int64_t count = 0;
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count - 3; /* ".", ".." and the directory itself. */
}

static void expose_process(struct buffer *text)
{
    struct rusage usage = {.ru_maxrss = 0};
    getrusage(RUSAGE_SELF, &usage);
    int64_t cpu_ms = ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                     (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;

    expose_head(text, "process_cpu_seconds_total", "counter", "CPU time, user and system");
    buffer_printf(
        text, "process_cpu_seconds_total %" PRId64 ".%03" PRId64 "\n", cpu_ms / 1000,
        cpu_ms % 1000);
    expose_gauge(text, "process_resident_memory_bytes", "Resident memory", resident_bytes());
    int64_t fds = open_fds();
    if (fds >= 0) {
        expose_gauge(text, "process_open_fds", "Open file descriptors", fds);
    }
}

void metric_expose(struct buffer *text)
{
    pthread_mutex_lock(&mutex);
    for (const struct metric *metric = first; metric != NULL; metric = metric->next) {
        expose_head(
            text, metric->name, metric->kind == METRIC_COUNTER ? "counter" : "gauge", metric->help);
        int64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
        buffer_printf(text, "%s %" PRId64 "\n", metric->name, value);
    }
    pthread_mutex_unlock(&mutex);
    expose_process(text);
}
