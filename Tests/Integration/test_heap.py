"""The daemon's free and realloc, in a small program of its own: what is given back is zeroed, and nothing else is different."""

import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

PROGRAM = r"""
#include "berth_heap.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Reads memory that was given back, which is what this is about. The first bytes are the heap's own by then. */
static int left(volatile unsigned char *bytes, size_t count) {
    int found = 0;
    for (size_t index = 32; index < count; index++) found += bytes[index] == 0xA5;
    return found;
}

int main(void) {
    if (!berth_heap_zeroes()) return 2;
    unsigned char *volatile first = malloc(3000);
    void *volatile fence = malloc(16); /* or the freed block would become a part of the top */
    memset(first, 0xA5, 3000);
    unsigned char *volatile grown = realloc(first, 9000);
    if (grown == first || left(first, 3000) != 0) return 3;
    for (size_t index = 0; index < 3000; index++) if (grown[index] != 0xA5) return 4;
    void *volatile second_fence = malloc(16);
    free(grown);
    if (left(grown, 3000) != 0) return 5;
    unsigned char *shrunk = memset(malloc(9000), 0xA5, 9000);
    unsigned char *volatile small = realloc(shrunk, 100);
    if (small == shrunk || small[99] != 0xA5 || left(shrunk, 9000) != 0) return 6;
    if (realloc(NULL, 10) == NULL || realloc(small, 0) != NULL) return 7;
    /* A buffer that grows by a little each time: pages are moved and not copied. */
    clock_t begun = clock();
    unsigned char *big = malloc(1 << 20);
    for (size_t mib = 2; mib <= 256; mib++) {
        big = realloc(big, mib << 20);
        big[(mib << 20) - 1] = (unsigned char)mib;
        if (mib > 2 && big[((mib - 1) << 20) - 1] != (unsigned char)(mib - 1)) return 8;
    }
    printf("%.3f\n", (double)(clock() - begun) / CLOCKS_PER_SEC);
    free(fence);
    free(second_fence);
    return 0;
}
"""


class Heap(unittest.TestCase):
    def test_what_is_given_back_is_zeroed(self):
        # Would break: secrets in the old place of a buffer that grew; a body of 30 MiB copied at each step of its growth.
        with tempfile.TemporaryDirectory(prefix="berth-heap-") as folder:
            folder = pathlib.Path(folder)
            (folder / "main.c").write_text(PROGRAM)
            source = ROOT / "Sources" / "CBerthHeap"
            subprocess.run(["gcc", "-O1", "-w", "-I", source / "include", source / "heap.c", folder / "main.c", "-o", folder / "heap", "-ldl"], check=True)
            done = subprocess.run([folder / "heap"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done)
            # Copying it at each step would be 33 GB.
            self.assertLess(float(done.stdout), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
