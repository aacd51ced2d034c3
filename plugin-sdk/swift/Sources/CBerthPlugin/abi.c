/* The plugin ABI is headers only; this file gives the package manager something to compile. */
#include <berth/plugin.h>
