/* The plugin ABI is headers only; this file gives SwiftPM something to compile, and fails to compile when the headers no longer
 * have the released layout (plugin-sdk/c/abi.lock). */
#include <berth/layout.h>
