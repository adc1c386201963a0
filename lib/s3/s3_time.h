#pragma once

/* The three ways in which S3 writes a time. All UTC; years 1970 to 9999; no locale. */

#include "lib/base/bytes.h"

enum {
    S3_TIME_AMZ_SIZE = 16,  /* 20130524T000000Z */
    S3_TIME_ISO_SIZE = 24,  /* 2013-05-24T00:00:00.000Z */
    S3_TIME_HTTP_SIZE = 29, /* Fri, 24 May 2013 00:00:00 GMT */
};

/* Each writes its size of characters and a NUL. */
void s3_time_format_amz(int64_t time_s, char text[S3_TIME_AMZ_SIZE + 1]);
void s3_time_format_iso(int64_t time_ms, char text[S3_TIME_ISO_SIZE + 1]);
void s3_time_format_http(int64_t time_s, char text[S3_TIME_HTTP_SIZE + 1]);

/* False for anything else than a real date in exactly that form. */
bool s3_time_parse_amz(struct bytes text, int64_t *ret_time_s);
/* With or without the fraction of a second, which is dropped below milliseconds. */
bool s3_time_parse_iso(struct bytes text, int64_t *ret_time_ms);
/* RFC 9110: the IMF form, and the two obsolete ones that must still be read. */
bool s3_time_parse_http(struct bytes text, int64_t *ret_time_s);
