/* Covers gates with lookup tables: the search of `cover.py`, which describes it. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_INPUTS 8
#define WORDS 4
#define MOST_FANINS 3
/* Cuts that are kept of each gate, beside the gate itself. */
#define CUTS 8
/* Cuts of a gate among which these are chosen. */
#define FOUND (CUTS + 1) * (CUTS + 1) * (CUTS + 1) + 1
/* The first rounds compare the area by its flow, the others the area itself. */
#define FLOW_ROUNDS 2
#define ROUNDS 5
#define NEAR 1e-5f

enum { LEAF, AND, XOR, MUX };

typedef uint64_t Word;

/* A function of a few signals, ascending, by its truth table. */
typedef struct {
    int32_t size, leaves[MOST_INPUTS];
    float cost;
    Word table[WORDS];
} Cut;

typedef struct {
    Cut cuts[CUTS + 1];
    int32_t count;
    Cut best;
    float flow, references;
    int32_t readers;
} Gate;

typedef struct {
    int64_t gates, roots, lut_inputs;
    const int8_t *kind;
    const int64_t *start;
    const int32_t *fanin; /* gates times two, and 1 where inverted */
    const int32_t *root;
    const float *area; /* by number of inputs */
    Gate *gate;
    Cut *found;
} Cover;

static const Word VARIABLE[6] = {
    0xAAAAAAAAAAAAAAAAu, 0xCCCCCCCCCCCCCCCCu, 0xF0F0F0F0F0F0F0F0u,
    0xFF00FF00FF00FF00u, 0xFFFF0000FFFF0000u, 0xFFFFFFFF00000000u,
};

/* --- Truth tables --- */

/* Exchange a variable and the next one. */
static void exchange(Word *table, int which)
{
    if (which < 5) {
        int step = 1 << which;
        Word up = VARIABLE[which] & ~VARIABLE[which + 1];
        for (int word = 0; word < WORDS; word++) {
            Word moved = table[word] & up, below = table[word] & (up << step);
            table[word] = (table[word] & ~(up | up << step)) | moved << step | below >> step;
        }
    } else if (which == 5) {
        for (int word = 0; word < WORDS; word += 2) {
            Word low = table[word], high = table[word + 1];
            table[word] = (low & ~VARIABLE[5]) | high << 32;
            table[word + 1] = (high & VARIABLE[5]) | low >> 32;
        }
    } else {
        Word moved = table[1];
        table[1] = table[2];
        table[2] = moved;
    }
}

static int depends(const Word *table, int which)
{
    if (which < 6) {
        for (int word = 0; word < WORDS; word++)
            if ((table[word] >> (1 << which) ^ table[word]) & ~VARIABLE[which]) return 1;
        return 0;
    }
    int step = which - 5;
    return table[0] != table[step] || table[3 - step] != table[3];
}

/* The table of a cut over leaves among which its own are. */
static void spread(const Cut *cut, const Cut *whole, int is_inverted, Word *table)
{
    for (int word = 0; word < WORDS; word++)
        table[word] = is_inverted ? ~cut->table[word] : cut->table[word];
    int place = whole->size - 1;
    for (int which = cut->size - 1; which >= 0; which--, place--) {
        while (whole->leaves[place] != cut->leaves[which]) place--;
        for (int each = which; each < place; each++) exchange(table, each);
    }
}

/* Leave out leaves that the function does not depend on. */
static void reduce(Cut *cut)
{
    for (int which = cut->size - 1; which >= 0; which--) {
        if (depends(cut->table, which)) continue;
        for (int each = which; each < cut->size - 1; each++) {
            exchange(cut->table, each);
            cut->leaves[each] = cut->leaves[each + 1];
        }
        cut->size--;
    }
}

/* --- Cuts --- */

/* Leaves of two cuts; 0 where they are too many. */
static int unite(const Cut *one, const Cut *other, Cut *whole, int most)
{
    int first = 0, second = 0, size = 0;
    while (first < one->size || second < other->size) {
        if (size == most) return 0;
        int is_first = second == other->size
            || (first < one->size && one->leaves[first] <= other->leaves[second]);
        int32_t leaf = is_first ? one->leaves[first] : other->leaves[second];
        first += first < one->size && one->leaves[first] == leaf;
        second += second < other->size && other->leaves[second] == leaf;
        whole->leaves[size++] = leaf;
    }
    whole->size = size;
    return 1;
}

static Cut itself(int32_t gate)
{
    Cut cut = {.size = gate > 0, .leaves = {gate}};
    for (int word = 0; word < WORDS; word++) cut.table[word] = gate ? VARIABLE[0] : 0;
    return cut;
}

/* The area of a cut: wires and inverters take none. */
static float area_of(const Cover *c, const Cut *cut)
{
    return cut->size < 2 ? 0.0f : c->area[cut->size];
}

static float flow_of(const Cover *c, const Cut *cut)
{
    float flow = area_of(c, cut);
    for (int each = 0; each < cut->size; each++) flow += c->gate[cut->leaves[each]].flow;
    return flow;
}

static float read(Cover *c, int32_t gate);

/* Take a cut: the area of what nothing else has taken. */
static float take(Cover *c, const Cut *cut)
{
    float area = area_of(c, cut);
    for (int each = 0; each < cut->size; each++) area += read(c, cut->leaves[each]);
    return area;
}

static float read(Cover *c, int32_t gate)
{
    int is_known = c->gate[gate].readers++ > 0 || c->kind[gate] == LEAF;
    return is_known ? 0.0f : take(c, &c->gate[gate].best);
}

static void leave(Cover *c, const Cut *cut)
{
    for (int each = 0; each < cut->size; each++) {
        int32_t leaf = cut->leaves[each];
        if (--c->gate[leaf].readers == 0 && c->kind[leaf] != LEAF) leave(c, &c->gate[leaf].best);
    }
}

/* --- A gate --- */

static void function_of(const Cover *c, int32_t gate, const Cut **parts, Cut *cut)
{
    Word tables[MOST_FANINS][WORDS];
    const int32_t *fanin = c->fanin + c->start[gate];
    int kind = c->kind[gate], count = kind == MUX ? 3 : 2;
    for (int each = 0; each < count; each++)
        spread(parts[each], cut, fanin[each] & 1, tables[each]);
    for (int word = 0; word < WORDS; word++) {
        Word one = tables[0][word], other = tables[1][word];
        if (kind == AND) cut->table[word] = one & other;
        else if (kind == XOR) cut->table[word] = one ^ other;
        else cut->table[word] = (one & other) | (~one & tables[2][word]);
    }
    reduce(cut);
}

static void add(Cover *c, Cut *cut, int *count, int is_exact)
{
    for (int each = 0; each < *count; each++)
        if (c->found[each].size == cut->size
            && !memcmp(c->found[each].leaves, cut->leaves, cut->size * sizeof *cut->leaves))
            return;
    if (is_exact) {
        cut->cost = take(c, cut);
        leave(c, cut);
    } else
        cut->cost = flow_of(c, cut);
    c->found[(*count)++] = *cut;
}

static int find_cuts(Cover *c, int32_t gate, int is_exact)
{
    const int32_t *fanin = c->fanin + c->start[gate];
    Gate *first = c->gate + fanin[0] / 2, *second = c->gate + fanin[1] / 2;
    int is_mux = c->kind[gate] == MUX, count = 0;
    Gate *third = is_mux ? c->gate + fanin[2] / 2 : NULL;
    if (is_exact) add(c, &c->gate[gate].best, &count, is_exact);
    for (int one = 0; one < first->count; one++)
        for (int other = 0; other < second->count; other++) {
            Cut both, cut;
            if (!unite(first->cuts + one, second->cuts + other, &both, c->lut_inputs)) continue;
            for (int last = 0; last < (is_mux ? third->count : 1); last++) {
                const Cut *parts[] = {
                    first->cuts + one, second->cuts + other, is_mux ? third->cuts + last : NULL};
                if (!is_mux) cut = both;
                else if (!unite(&both, parts[2], &cut, c->lut_inputs)) continue;
                function_of(c, gate, parts, &cut);
                add(c, &cut, &count, is_exact);
            }
        }
    return count;
}

static int is_better(const Cut *one, const Cut *other)
{
    if (one->cost < other->cost - NEAR) return 1;
    return one->cost < other->cost + NEAR && one->size < other->size;
}

static void keep_best(Cover *c, int32_t number, int count)
{
    Gate *gate = c->gate + number;
    gate->count = count < CUTS ? count : CUTS;
    for (int place = 0; place < gate->count; place++) {
        int best = place;
        for (int each = place + 1; each < count; each++)
            if (is_better(c->found + each, c->found + best)) best = each;
        gate->cuts[place] = c->found[best];
        c->found[best] = c->found[place];
    }
    gate->best = gate->cuts[0];
    /* What is a wire of another gate is read as that one. */
    if (gate->best.size > 1) gate->cuts[gate->count++] = itself(number);
}

static void visit(Cover *c, int32_t number, int round)
{
    Gate *gate = c->gate + number;
    if (c->kind[number] == LEAF) {
        gate->cuts[0] = itself(number);
        gate->count = 1;
        return;
    }
    int is_exact = round >= FLOW_ROUNDS && gate->readers > 0;
    if (is_exact) leave(c, &gate->best);
    keep_best(c, number, find_cuts(c, number, is_exact));
    if (is_exact) take(c, &gate->best);
    gate->flow = flow_of(c, &gate->best) / (gate->references < 1 ? 1 : gate->references);
}

/* --- The whole --- */

/* Count how often each gate is read. */
static void count_readers(Cover *c, int round)
{
    for (int64_t each = 0; each < c->gates; each++) c->gate[each].readers = 0;
    for (int64_t each = 0; each < c->roots; each++) read(c, c->root[each]);
    for (int64_t each = 0; each < c->gates; each++) {
        Gate *gate = c->gate + each;
        gate->references = round ? gate->readers : (gate->references + 2 * gate->readers) / 3;
    }
}

/* Sizes of the LUTs of the gates that are read, 0 for all others; 1 where memory is missing.

   numbers: gates, roots, inputs of the largest LUT. */
int64_t kan_cover(const int64_t *numbers, const int8_t *kind, const int64_t *start,
                  const int32_t *fanin, const int32_t *root, const float *area, int8_t *size)
{
    Cover whole = {numbers[0], numbers[1], numbers[2], kind, start, fanin, root, area,
                   calloc(numbers[0], sizeof(Gate)), malloc(sizeof(Cut) * (FOUND))};
    Cover *c = &whole;
    int64_t failed = !c->gate || !c->found;
    if (!failed) {
        for (int64_t each = 0; each < start[c->gates]; each++) c->gate[fanin[each] / 2].references++;
        for (int64_t each = 0; each < c->roots; each++) c->gate[root[each]].references++;
        for (int round = 0; round < ROUNDS; round++) {
            for (int32_t each = 0; each < c->gates; each++) visit(c, each, round);
            count_readers(c, round);
        }
        for (int64_t each = 0; each < c->gates; each++) {
            const Gate *gate = c->gate + each;
            int is_lut = gate->readers && kind[each] != LEAF && gate->best.size > 1;
            size[each] = is_lut ? gate->best.size : 0;
        }
    }
    free(c->gate);
    free(c->found);
    return failed;
}
