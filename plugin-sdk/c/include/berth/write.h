/* SPDX-License-Identifier: Apache-2.0
 *
 * berth.write-records/1 - records of this workspace pushed to the provider.
 */
#ifndef BERTH_WRITE_H
#define BERTH_WRITE_H

#include <berth/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_WRITE_RECORDS_ID "berth.write-records/1"

typedef struct berth_outgoing_record_v1 {
    uint32_t struct_size;
    uint32_t kind;                    /* BERTH_RECORD_UPSERT or BERTH_RECORD_DELETE */
    berth_host_slice key;             /* the provider's id; empty: create */
    berth_host_slice idempotency_key; /* the same again when the write is repeated */
    berth_host_slice payload;         /* JSON object with the entity's fields */
} berth_outgoing_record_v1;

typedef struct berth_write_records_v1 {
    uint32_t struct_size;
    uint32_t revision; /* 1 */

    /* Writes `count` records and a status per record to statuses[i], preset to BERTH_INTERNAL. For each one
     * written, emit the record as the provider now has it, with item = i: that is how a created record's
     * key comes back. [operation-serial] */
    int32_t (*write)(void *instance, berth_operation op, berth_host_slice stream, const berth_outgoing_record_v1 *records,
                     uint64_t count, int32_t *statuses);
} berth_write_records_v1;

#ifdef __cplusplus
}
#endif

#endif
