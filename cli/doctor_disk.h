#pragma once

/* Checks on the disk under data_dir: its kind, how fast it syncs, how full it is. */

#include "cli/doctor.h"
#include "cli/doctor_target.h"

/* What a file system of that statfs type is called where it is not a place for data: its contents
 * end with the host, or are another host's. NULL for all others. */
const char *doctor_disk_doubt(unsigned long type);

/* The value below which that many per mille lie; sorts the values. count > 0. */
int64_t doctor_disk_quantile(int64_t *values, size_t count, unsigned per_mille);

/* Judge the time of a write with fdatasync: above 20 ms in one of a hundred is slow; a median
 * below 5 us is no sync at all. */
enum doctor_state
doctor_disk_judge_sync(int64_t median_us, int64_t p99_us, const char **ret_advice);

/* FAIL where writes are refused already, WARN where fewer bytes than twice the reserve are left. */
enum doctor_state doctor_disk_judge_space(uint64_t free_bytes, uint64_t reserve_bytes);

/* Checks; context is a struct doctor_target. */
void doctor_disk_check_kind(struct doctor *doctor, void *context);
void doctor_disk_check_sync(struct doctor *doctor, void *context);
void doctor_disk_check_space(struct doctor *doctor, void *context);
