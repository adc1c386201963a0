#pragma once

/* Scratch directories, their crash images, and seeded numbers, for the tests of lib/kv. */

#include "lib/base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* A fresh directory; path has room for KV_SUPPORT_PATH. Returns its open fd. */
enum { KV_SUPPORT_PATH = 256 };
int kv_support_dir_new(char path[KV_SUPPORT_PATH]);
void kv_support_dir_free(int fd, const char *path);

/* Remove a directory and all below it. */
void kv_support_tree_free(const char *path);

/* Copy every file of a directory to another; files there that are not here go. */
void kv_support_copy(const char *from, const char *to);

/*
 * Make `to` what a power cut may leave: each 512-byte sector in which `now` differs from `synced`
 * is taken from one or the other by seed.
 */
void kv_support_tear(const char *synced, const char *now, const char *to, uint64_t *seed);

/* The next number of a seeded sequence (never seed 0). */
uint64_t kv_support_next(uint64_t *seed);

/* Flip a bit of a file. */
void kv_support_flip(const char *dir, const char *name, uint64_t offset, unsigned bit);
