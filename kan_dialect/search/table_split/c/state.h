/* What a search knows, its memory, and the records of parts and sums. */

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_BYTES 16

/* `SearchLimits`, in this order. */
typedef struct {
    int64_t offsets, high_offsets, offset_bits, decompositions, refined, refined_once;
    int64_t gate_variants, shape_bits, shape_inputs, gate_bits;
} Limits;

/* `PartCosts`: LUTs of bits that depend on 0 .. most inputs. */
typedef struct {
    const double *bit_costs, *summand_costs;
    int64_t most;
    double carry_in, further;
} Costs;

/* `Part` (amounts is NULL) or `GatedPart`, times 2^place. */
typedef struct {
    int skipped, place, gate_bits;
    int64_t length, columns, offset;
    const int64_t *entries; /* `Part.unshifted` or `GatedPart.classes` */
    const int64_t *amounts;
} Part;

typedef struct {
    double bit_luts;
    int64_t constant, adders, carries, count;
    const Part *parts;
} Split;

typedef struct Block {
    struct Block *next;
    size_t used, size;
} Block;

/* The split of a table that has been searched. */
typedef struct {
    uint64_t hash;
    const int64_t *table;
    int64_t inputs, max_parts;
    const Split *split;
} Known;

/* Memory that lasts for one step, and grows. */
typedef struct {
    void *data;
    size_t size;
} Scratch;

typedef struct {
    Limits limits;
    Costs costs;
    double cheapest_bit;
    Block *blocks;
    size_t allocated;
    Known *known;
    size_t known_room, known_count;
    Scratch columns, whole, floors, rows, sorted;
    jmp_buf out_of_memory;
} Search;

/* Memory that lasts until `forget`. */
static void *take(Search *search, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    Block *block = search->blocks;
    if (!block || block->used + bytes > block->size) {
        size_t size = bytes > (1 << 18) ? bytes : 1 << 18;
        block = malloc(sizeof(Block) + 16 + size);
        if (!block)
            longjmp(search->out_of_memory, 1);
        block->next = search->blocks;
        block->used = 0;
        block->size = size;
        search->blocks = block;
    }
    char *start = (char *)(((uintptr_t)(block + 1) + 15) & ~(uintptr_t)15);
    void *found = start + block->used;
    block->used += bytes;
    search->allocated += bytes;
    return found;
}

static int64_t *take_integers(Search *search, size_t count)
{
    return take(search, count * sizeof(int64_t));
}

static void forget(Search *search)
{
    while (search->blocks) {
        Block *next = search->blocks->next;
        free(search->blocks);
        search->blocks = next;
    }
    search->allocated = 0;
    search->known_count = 0;
    if (search->known)
        memset(search->known, 0, search->known_room * sizeof(Known));
}

/* Memory of some size; what was in it before may be gone. */
static void *scratch(Search *search, Scratch *memory, size_t bytes)
{
    if (memory->size < bytes + VECTOR_BYTES) {
        free(memory->data);
        memory->size = 0;
        memory->data = malloc(2 * bytes + VECTOR_BYTES);
        if (!memory->data)
            longjmp(search->out_of_memory, 1);
        memory->size = 2 * bytes + VECTOR_BYTES;
    }
    uintptr_t end = (uintptr_t)memory->data + VECTOR_BYTES - 1;
    return (void *)(end & ~(uintptr_t)(VECTOR_BYTES - 1));
}
