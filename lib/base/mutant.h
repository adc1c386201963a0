#pragma once

/*
 * Mutants: one grave bug each, compiled in by `bazel build --define=mutant=NAME`, so that
 * tests/chaos can prove that it would find such a bug. Used as `if (MUTANT_...)`: 0 in every other
 * build, and what follows is not compiled. bazel/triad.bzl has the list of names, and gives the 1
 * only to the libraries that say `mutants = [...]`.
 *
 * A release build cannot contain one: Bazel finds no mutant in it, and this header stops the
 * compiler whenever it optimizes.
 */

/* A blob node says STORED before the sync; that comes with the next put. */
#ifndef MUTANT_ACKNOWLEDGE_BEFORE_FSYNC
#define MUTANT_ACKNOWLEDGE_BEFORE_FSYNC 0
#endif

/* A store of rows publishes and answers a commit before the sync; that comes with the next one. */
#ifndef MUTANT_COMMIT_BEFORE_FSYNC
#define MUTANT_COMMIT_BEFORE_FSYNC 0
#endif

/* The content DB commits whatever the key's head is by then. */
#ifndef MUTANT_NO_HEAD_CHECK
#define MUTANT_NO_HEAD_CHECK 0
#endif

/* A reader decrypts a chunk's blocks and does not look at their tags. */
#ifndef MUTANT_NO_BLOCK_TAG
#define MUTANT_NO_BLOCK_TAG 0
#endif

/* A writer sends all fragments of a chunk to its first account, and notes them as spread. */
#ifndef MUTANT_ONE_ACCOUNT
#define MUTANT_ONE_ACCOUNT 0
#endif

#define MUTANT_NAME                                                                                \
    (MUTANT_ACKNOWLEDGE_BEFORE_FSYNC ? "acknowledge_before_fsync"                                  \
     : MUTANT_COMMIT_BEFORE_FSYNC    ? "commit_before_fsync"                                       \
     : MUTANT_NO_HEAD_CHECK          ? "no_head_check"                                             \
     : MUTANT_NO_BLOCK_TAG           ? "no_block_tag"                                              \
     : MUTANT_ONE_ACCOUNT            ? "one_account"                                               \
                                     : "")

#define MUTANT_IS_BUILT                                                                            \
    (MUTANT_ACKNOWLEDGE_BEFORE_FSYNC || MUTANT_COMMIT_BEFORE_FSYNC || MUTANT_NO_HEAD_CHECK ||      \
     MUTANT_NO_BLOCK_TAG || MUTANT_ONE_ACCOUNT)

#if defined(__OPTIMIZE__) && MUTANT_IS_BUILT
#error "a mutant is broken on purpose: an optimized build, as a release is, cannot contain it"
#endif
