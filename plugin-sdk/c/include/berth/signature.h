/* SPDX-License-Identifier: Apache-2.0
 *
 * berth.signature/1 - keyed hashes with the connection's webhook secret, which stays with the host.
 */
#ifndef BERTH_SIGNATURE_H
#define BERTH_SIGNATURE_H

#include <berth/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_SIGNATURE_ID "berth.signature/1"

#define BERTH_HMAC_SHA1 1u
#define BERTH_HMAC_SHA256 2u
#define BERTH_HMAC_SHA512 3u

typedef struct berth_signature_v1 {
    uint32_t struct_size;
    uint32_t revision; /* 1 */

    /* BERTH_OK when `expected` (raw bytes) is the HMAC of `message` under one of the connection's current
     * keys, compared in constant time; BERTH_AUTH_DENIED when not. [operation-serial] */
    int32_t (*hmac_matches)(void *host, berth_operation op, uint32_t algorithm, uint32_t reserved0, berth_plugin_slice message,
                            berth_plugin_slice expected);
} berth_signature_v1;

#ifdef __cplusplus
}
#endif

#endif
