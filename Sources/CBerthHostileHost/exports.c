/* SPDX-License-Identifier: Apache-2.0
 *
 * The dynamic symbols of a library, read from its bytes without loading it.
 */
#include "berth_hostile.h"

#include <elf.h>
#include <string.h>

const char *hostile_exports(const uint8_t *bytes, size_t count, void *context, void (*found)(void *context, const char *name)) {
    Elf64_Ehdr header;
    if (count < sizeof header) return "the file is shorter than an ELF header";
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return "the file is no 64-bit ELF library";
    if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shoff > count ||
        (count - header.e_shoff) / sizeof(Elf64_Shdr) < header.e_shnum)
        return "its section headers are missing or end beyond the file";
    const char *problem = "it has no table of dynamic symbols";
    for (size_t index = 0; index < header.e_shnum; index++) {
        Elf64_Shdr section, strings;
        memcpy(&section, bytes + header.e_shoff + index * sizeof section, sizeof section);
        if (section.sh_type != SHT_DYNSYM) continue;
        if (section.sh_link >= header.e_shnum) return "its dynamic symbols have no names";
        memcpy(&strings, bytes + header.e_shoff + section.sh_link * sizeof strings, sizeof strings);
        if (section.sh_offset > count || section.sh_size > count - section.sh_offset || strings.sh_offset > count ||
            strings.sh_size > count - strings.sh_offset)
            return "its dynamic symbols end beyond the file";
        problem = NULL;
        for (size_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
            Elf64_Sym symbol;
            memcpy(&symbol, bytes + section.sh_offset + at, sizeof symbol);
            unsigned binding = ELF64_ST_BIND(symbol.st_info), visibility = ELF64_ST_VISIBILITY(symbol.st_other);
            if (symbol.st_shndx == SHN_UNDEF || binding == STB_LOCAL || visibility == STV_HIDDEN || visibility == STV_INTERNAL) continue;
            const char *name = (const char *)bytes + strings.sh_offset + symbol.st_name;
            if (symbol.st_name >= strings.sh_size || !memchr(name, 0, strings.sh_size - symbol.st_name))
                return "a dynamic symbol has no name";
            found(context, name);
        }
    }
    return problem;
}
