#pragma once

/*
 * CompleteUpload in one plan: the upload is open, its parts are still those named, so the version
 * becomes the head. The parts' R rows stand already: their owner, the upload, is the version16.
 *
 * Parts that were not named become garbage. Where those and an old head of many parts exceed what a
 * plan may write, must_trim asks for plan_complete_trim first, as often as it answers DONE.
 */

#include "contentdb/commit_check.h"
#include "contentdb/plan_head.h"

enum { COMPLETE_PART_SIZE_MIN = 5 * 1024 * 1024 };

struct plan_complete_part {
    uint32_t part;
    struct content content;
};

struct plan_complete {
    struct id16 bucket;
    struct id16 tenant;
    struct id16 upload;
    struct bytes name;
    const struct plan_complete_part *parts; /* By number, rising. */
    size_t parts_count;
    struct bytes record;
    struct version_record decoded;
    struct bytes vmac;
    struct bytes key_ref;
    struct bytes attributes;
    const ProtobufCBinaryData *segment_pages;
    size_t segment_pages_count;
    bool if_absent;
    /* Set by the plan: */
    bool must_trim; /* With UNAVAILABLE. */
    bool has_rest;  /* T rows are left: plan_abort_sweep takes them. */
    bool was_done;  /* DONE, by an earlier Complete: the four below. */
    uint64_t done_seq;
    uint8_t done_record[VERSION_RECORD_SIZE];
    uint8_t done_vmac[VERSION_MAC_SIZE];
    uint8_t done_key_ref[ROW_KEY_REF_MAX];
    size_t done_key_ref_size;
};

/* arg: struct plan_complete, for both. */
struct status plan_complete_upload(struct plan *plan, void *arg);
struct status plan_complete_trim(struct plan *plan, void *arg);

/* Walk the T rows of an upload from a part number on; *go_on = false ends it. */
typedef struct status plan_part_fn(
    struct plan *plan, uint32_t number, const struct row_part *part, void *arg, bool *go_on);
MUST_CHECK struct status
plan_complete_each_part(struct plan *plan, const struct id16 *upload, plan_part_fn *fn, void *arg);
