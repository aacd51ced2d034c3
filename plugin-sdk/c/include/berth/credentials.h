/* SPDX-License-Identifier: Apache-2.0
 *
 * berth.credentials/1 - one cheap request that proves that a connection's credential works.
 */
#ifndef BERTH_CREDENTIALS_H
#define BERTH_CREDENTIALS_H

#include <berth/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_CREDENTIALS_ID "berth.credentials/1"

typedef struct berth_credentials_v1 {
    uint32_t struct_size;
    uint32_t revision; /* 1 */

    /* BERTH_OK when the provider accepts the credential; host->reply may give {"account":...,"name":...} for
     * the operator. BERTH_AUTH_DENIED when it does not. [operation-serial] */
    int32_t (*check)(void *instance, berth_operation op);
} berth_credentials_v1;

#ifdef __cplusplus
}
#endif

#endif
