/* The plugin ABI is headers only; this file gives SwiftPM something to compile. */
#include <berth/plugin.h>
