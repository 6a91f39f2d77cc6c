/* The search for the cheapest sums of parts: decompose a table, keep the cheapest, split their
   parts again.

   Tables are arrays of 2^inputs integers; the least entry is 0 except where a comment says
   otherwise. */

#include "state.h"
#include "numbers.h"
#include "costs.h"
#include "splits.h"
#include "decompositions.h"
#include "gates.h"

/* The split of a table into at least 2 parts: parts of the cheapest decompositions are split. */
static const Split *search_table(Search *search, const int64_t *table, int inputs,
                                 int64_t max_parts)
{
    const Split *best = split_of(search, table, inputs, 1);
    if (inputs < 2 || !(cost(search, best) > lower_bound(search, table, inputs)))
        return best;
    int64_t room = search->limits.refined > 1 ? search->limits.refined : 1;
    Decomposition *decomposed = take(search, (size_t)room * sizeof(Decomposition));
    int count = decompositions(search, table, inputs, max_parts, decomposed);
    Gated gated[4] = {{0}};
    best_gated(search, table, inputs, gated);
    for (int i = 1; i < 4; i++) {
        Gated *each = &gated[i];
        if (!each->lower)
            continue;
        const Split *upper = split_of(search, each->high, each->inputs, max_parts - 1);
        if (cost_of_both(search, upper, each->lower) < cost(search, best))
            best = joined(search, upper, each->gate_bits, 0, each->lower, each->constant);
    }
    for (int64_t parts = 1; parts < max_parts; parts++)
        for (int i = 0; i < count; i++) {
            Decomposition *each = &decomposed[i];
            const Split *upper = split_of(search, each->high, inputs - each->skipped, parts);
            const Split *lower = split_of(search, each->rest, inputs, max_parts - parts);
            if (cost_of_both(search, upper, lower) < cost(search, best))
                best = joined(search, upper, each->skipped, each->place, lower, each->constant);
        }
    return best;
}

static Known *slot_of(Search *search, uint64_t hash, const int64_t *table, int64_t inputs,
                      int64_t max_parts)
{
    size_t bytes = ((size_t)1 << inputs) * sizeof(int64_t);
    for (size_t at = hash & (search->known_room - 1);; at = (at + 1) & (search->known_room - 1)) {
        Known *known = &search->known[at];
        if (!known->split ||
            (known->hash == hash && known->inputs == inputs && known->max_parts == max_parts &&
             memcmp(known->table, table, bytes) == 0))
            return known;
    }
}

static void make_room(Search *search)
{
    size_t before = search->known_room;
    Known *known = search->known;
    search->known = calloc(before ? 2 * before : 1 << 10, sizeof(Known));
    if (!search->known) {
        search->known = known;
        longjmp(search->out_of_memory, 1);
    }
    search->known_room = before ? 2 * before : 1 << 10;
    for (size_t i = 0; i < before; i++)
        if (known[i].split)
            *slot_of(search, known[i].hash, known[i].table, known[i].inputs, known[i].max_parts) =
                known[i];
    free(known);
}

/* The split of a table, which must last as long as the search; looked up if it is known. */
static const Split *split_of(Search *search, const int64_t *table, int inputs, int64_t max_parts)
{
    uint64_t hash = (uint64_t)max_parts * 31 + (uint64_t)inputs;
    for (size_t i = 0; i < (size_t)1 << inputs; i++)
        hash = (hash ^ (uint64_t)table[i]) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
    if (search->known_count * 2 >= search->known_room)
        make_room(search);
    Known *known = slot_of(search, hash, table, inputs, max_parts);
    if (known->split)
        return known->split;
    const Split *split =
        max_parts > 1 ? search_table(search, table, inputs, max_parts)
                      : shifted_split(search, table, inputs, best_offset(search, table, inputs));
    if (search->known_count * 2 >= search->known_room)
        make_room(search);
    known = slot_of(search, hash, table, inputs, max_parts);
    *known = (Known){hash, table, inputs, max_parts, split};
    search->known_count++;
    return split;
}

typedef struct {
    int64_t *heads, *data;
    double *luts;
    int64_t heads_length, data_length, luts_length;
    int64_t heads_room, data_room, luts_room;
} Output;

static int64_t *more(Search *search, int64_t **buffer, int64_t *length, int64_t *room,
                     int64_t count)
{
    if (*length + count > *room) {
        int64_t wanted = 2 * (*length + count);
        int64_t *grown = realloc(*buffer, (size_t)wanted * sizeof(int64_t));
        if (!grown)
            longjmp(search->out_of_memory, 1);
        *buffer = grown;
        *room = wanted;
    }
    int64_t *found = *buffer + *length;
    *length += count;
    return found;
}

static void write_raised(int64_t *to, const int64_t *values, int64_t count, int place)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (int64_t)((uint64_t)values[i] << place);
}

static void write(Search *search, Output *output, const Split *split, int64_t low)
{
    int64_t *luts = more(search, (int64_t **)&output->luts, &output->luts_length,
                         &output->luts_room, 1);
    memcpy(luts, &split->bit_luts, sizeof(double));
    int64_t *head = more(search, &output->heads, &output->heads_length, &output->heads_room,
                         4 + 5 * split->count);
    *head++ = split->constant + low;
    *head++ = split->adders;
    *head++ = split->carries;
    *head++ = split->count;
    for (int64_t i = 0; i < split->count; i++) {
        const Part *part = &split->parts[i];
        int64_t gates = part->amounts ? ((int64_t)1 << part->gate_bits) * part->columns : 0;
        *head++ = part->skipped;
        *head++ = part->length;
        *head++ = (int64_t)((uint64_t)part->offset << part->place);
        *head++ = gates;
        *head++ = part->gate_bits;
        int64_t *data = more(search, &output->data, &output->data_length, &output->data_room,
                             part->length + gates);
        write_raised(data, part->entries, part->length, part->amounts ? 0 : part->place);
        if (gates)
            write_raised(data + part->length, part->amounts, gates, part->place);
    }
}

/* Beyond this size, what the search remembers of earlier tables is dropped. */
#define REMEMBERED_BYTES (1 << 22)

static void split_all(Search *search, const int64_t *entries, const int64_t *inputs, int64_t count,
                      int64_t max_parts, Output *output)
{
    for (int64_t i = 0; i < count; i++) {
        size_t patterns = (size_t)1 << inputs[i];
        int64_t *table = take_integers(search, patterns);
        int64_t low = least_of(entries, patterns);
        for (size_t j = 0; j < patterns; j++)
            table[j] = entries[j] - low;
        write(search, output, split_of(search, table, (int)inputs[i], max_parts), low);
        entries += patterns;
        if (search->allocated > REMEMBERED_BYTES)
            forget(search);
    }
}

/* Splits of tables of integers (int64, one after the other) of `inputs` input bits each. Returns 0,
   or 1 where memory ends. `kan_free_splits` frees the output in either case. */
int kan_split_tables(const int64_t *entries, const int64_t *inputs, int64_t count,
                     int64_t max_parts, const Costs *costs, const Limits *limits, Output *output)
{
    Search *search = calloc(1, sizeof(Search));
    volatile int failed = !search;
    if (failed)
        return 1;
    search->limits = *limits;
    search->costs = *costs;
    search->cheapest_bit = costs->summand_costs[1];
    for (int64_t i = 2; i <= costs->most; i++)
        if (costs->summand_costs[i] < search->cheapest_bit)
            search->cheapest_bit = costs->summand_costs[i];
    if (setjmp(search->out_of_memory) == 0)
        split_all(search, entries, inputs, count, max_parts, output);
    else
        failed = 1;
    forget(search);
    free(search->known);
    free(search->columns.data);
    free(search->whole.data);
    free(search->floors.data);
    free(search->rows.data);
    free(search->sorted.data);
    free(search);
    return failed;
}

void kan_free_splits(Output *output)
{
    free(output->heads);
    free(output->data);
    free(output->luts);
}
