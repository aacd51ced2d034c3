/* SPDX-License-Identifier: Apache-2.0
 *
 * berth.read-stream/1 - a stream read page by page, resumable at each checkpoint.
 */
#ifndef BERTH_READ_STREAM_H
#define BERTH_READ_STREAM_H

#include <berth/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_READ_STREAM_ID "berth.read-stream/1"

#define BERTH_READ_FULL 1u        /* everything; what is not seen again may be removed by the host */
#define BERTH_READ_INCREMENTAL 2u /* what changed since the last run */
#define BERTH_READ_RANGE 3u       /* everything between `since` and `until` */

typedef struct berth_read_request_v1 {
    uint32_t struct_size;
    uint32_t mode;
    uint32_t state_schema; /* format of `state` */
    uint32_t reserved0;
    int64_t since; /* incremental, range: lower bound with the overlap already taken off, or BERTH_NO_TIME */
    int64_t until; /* upper bound of this run: the time it started, or the range's end */
    berth_host_slice stream;
    berth_host_slice state; /* the last durable checkpoint of this run; empty when it begins */
} berth_read_request_v1;

typedef struct berth_read_stream_v1 {
    uint32_t struct_size;
    uint32_t revision; /* 1 */

    /* Reads the stream: emit records, checkpoint after each page, return BERTH_OK at the end. A read that is
     * interrupted anywhere is called again with its last durable checkpoint as `state`. [operation-serial] */
    int32_t (*read)(void *instance, berth_operation op, const berth_read_request_v1 *request);
} berth_read_stream_v1;

#ifdef __cplusplus
}
#endif

#endif
