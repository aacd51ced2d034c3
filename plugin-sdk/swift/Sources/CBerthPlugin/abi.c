/* The plugin ABI is headers only; this file gives the package manager something to compile, and fails to compile where a compiler's
 * layout is not the released one. */
#include <berth/layout.h>
