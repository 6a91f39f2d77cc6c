/* Tables as a high part, which leaves out low input bits, and a rest of few bits. */

typedef struct {
    const int64_t *high, *rest;
    int skipped, place;
    int64_t constant;
    double luts; /* of both parts with their best offsets */
} Decomposition;

/* A decomposition without offsets: column `lane` of the vectors at `highs` and `rests`. */
typedef struct {
    int level, place, lane, is_upper;
    int64_t constant;
    double luts;
    const void *highs, *rests;
} Row;

typedef struct {
    int width; /* bits of the rest */
    int place;
    int64_t shift;
    int is_upper; /* the high part is as high as it can be, or as low */
} Choice;

static uint64_t shifted_right(uint64_t word, int64_t bits)
{
    return bits >= 64 ? 0 : word >> bits;
}

/* Offsets at which every interval low .. low + limit - spread has a multiple of a power of two, the
   highest that has such offsets. If there are many, some are taken, evenly. */
static int high_offsets(const Search *search, const int64_t *low, const int64_t *spread,
                        size_t count, int bits, int *place, int64_t *shifts)
{
    int64_t limit = ((int64_t)1 << bits) - 1, resolution = search->limits.offset_bits;
    uint64_t possible = 0;
    int64_t step = 0;
    for (*place = bits; *place >= 0; --*place) {
        step = *place > resolution ? *place - resolution : 0;
        int64_t tried = (int64_t)1 << (*place - step);
        possible = shifted_right(~(uint64_t)0, 64 - tried);
        for (size_t i = 0; i < count && possible; i++) {
            int64_t last = low[i] >> step, slack = limit - spread[i];
            int64_t run = last + ((slack - low[i]) >> step);
            if (run > tried - 1)
                run = tried - 1;
            int64_t first = (last - run) & (tried - 1);
            uint64_t word = shifted_right(~(uint64_t)0, 63 - run);
            possible &= word << first | shifted_right(word, tried - first);
        }
        if (possible)
            break;
    }
    if (*place < 0) {
        *place = 0;
        return 0;
    }
    int64_t all = 0, rank = 0, found = 0;
    for (uint64_t left = possible; left; left &= left - 1)
        all++;
    int64_t taken = all < search->limits.high_offsets ? all : search->limits.high_offsets;
    for (uint64_t left = possible; left; left &= left - 1, rank++)
        if (rank * taken % all < taken)
            shifts[found++] = (int64_t)lowest_bit(left) << step;
    return (int)found;
}

/* High parts and rests of all choices for one number of input bits left out: their LUTs. */
#define DEFINE_LEVEL(NAME, SIGNED_VECTOR, VECTOR, SIGNED, BIT_SUMS)                                \
    static void NAME(Search *search, const int64_t *table, int inputs, int level,                  \
                     const int64_t *low, const int64_t *spread, const Choice *choices, int count,  \
                     SIGNED_VECTOR *highs, SIGNED_VECTOR *rests, Row *rows)                        \
    {                                                                                              \
        enum { LANES = VECTOR_BYTES / sizeof(SIGNED) };                                            \
        size_t patterns = (size_t)1 << inputs, runs = patterns >> level;                           \
        SIGNED_VECTOR *shifted = scratch(search, &search->columns, runs * sizeof(SIGNED_VECTOR));  \
        for (int start = 0; start < count; start += LANES) {                                       \
            int lanes = count - start < LANES ? count - start : LANES;                             \
            SIGNED_VECTOR least_high = {0}, least_rest = {0}, most_rest = {0};                     \
            for (size_t i = 0; i < runs; i++) {                                                    \
                SIGNED_VECTOR high = {0}, product = {0};                                           \
                for (int lane = 0; lane < lanes; lane++) {                                         \
                    const Choice *choice = &choices[start + lane];                                 \
                    int64_t bottom = low[i] - choice->shift;                                       \
                    int64_t slack = ((int64_t)1 << choice->width) - 1 - spread[i];                 \
                    int64_t value = choice->is_upper ? bottom >> choice->place                     \
                                                     : -((slack - bottom) >> choice->place);       \
                    high[lane] = (SIGNED)value;                                                    \
                    product[lane] = (SIGNED)((uint64_t)value << choice->place);                    \
                }                                                                                  \
                highs[i] = high;                                                                   \
                shifted[i] = product;                                                              \
                SIGNED_VECTOR less = high < least_high;                                            \
                least_high = i ? (high & less) | (least_high & ~less) : high;                      \
            }                                                                                      \
            for (size_t i = 0; i < patterns; i++) {                                                \
                SIGNED_VECTOR rest = (SIGNED)table[i] - shifted[i >> level];                       \
                rests[i] = rest;                                                                   \
                SIGNED_VECTOR less = rest < least_rest, more = rest > most_rest;                   \
                least_rest = i ? (rest & less) | (least_rest & ~less) : rest;                      \
                most_rest = i ? (rest & more) | (most_rest & ~more) : rest;                        \
            }                                                                                      \
            for (size_t i = 0; i < runs; i++)                                                      \
                highs[i] -= least_high;                                                            \
            for (size_t i = 0; i < patterns; i++)                                                  \
                rests[i] -= least_rest;                                                            \
            double of_high[LANES], of_rest[LANES];                                                 \
            int ignored[LANES];                                                                    \
            const double *costs = search->costs.summand_costs;                                     \
            BIT_SUMS((VECTOR *)highs, inputs - level, lanes, costs, of_high, ignored);             \
            BIT_SUMS((VECTOR *)rests, inputs, lanes, costs, of_rest, ignored);                     \
            for (int lane = 0; lane < lanes; lane++) {                                             \
                int place = choices[start + lane].place;                                           \
                int is_bit = most_rest[lane] - least_rest[lane] == 1;                              \
                double saved = search->costs.carry_in + search->costs.further;                     \
                int64_t raised = (int64_t)((uint64_t)(int64_t)least_high[lane] << place);          \
                rows[start + lane] =                                                               \
                    (Row){level, place, lane, choices[start + lane].is_upper,                        \
                          least_rest[lane] + raised,                                               \
                          of_high[lane] + of_rest[lane] - (is_bit ? saved : 0), highs, rests};     \
            }                                                                                      \
            highs += runs;                                                                         \
            rests += patterns;                                                                     \
        }                                                                                          \
    }

DEFINE_LEVEL(level_of_halves, SignedHalves, Halves, int16_t, bit_sums_of_halves)
DEFINE_LEVEL(level_of_words, SignedWords, Words, int64_t, bit_sums_of_words)

/* Entries below this bound are decomposed as 16-bit integers. */
#define NARROW (1 << 13)

static int64_t entry_of(const void *vectors, size_t index, int lane, int narrow)
{
    if (narrow)
        return ((const int16_t *)vectors)[index * (VECTOR_BYTES / 2) + (size_t)lane];
    return ((const int64_t *)vectors)[index * (VECTOR_BYTES / 8) + (size_t)lane];
}

static int same_rest(const Row *one, const Row *other, size_t patterns, int narrow)
{
    for (size_t i = 0; i < patterns; i++)
        if (entry_of(one->rests, i, one->lane, narrow) !=
            entry_of(other->rests, i, other->lane, narrow))
            return 0;
    return 1;
}

/* The cheapest decompositions of a table; returns their number.

   The rest has as few bits as possible, or one more. Those that are cheapest without offsets get
   their best offsets. */
static int decompositions(Search *search, const int64_t *table, int inputs, int64_t max_parts,
                          Decomposition *found)
{
    const Limits *limits = &search->limits;
    size_t patterns = (size_t)1 << inputs;
    int64_t high = largest(table, patterns);
    int width = bit_length((uint64_t)high), narrow = high < NARROW;
    size_t lanes = narrow ? VECTOR_BYTES / 2 : VECTOR_BYTES / 8;
    /* Least entries and spreads of 2, 4, ... neighbours, one after the other. */
    int64_t *floors = scratch(search, &search->floors, 4 * patterns * sizeof(int64_t));
    int64_t *spreads = floors + patterns, *ceilings = spreads + patterns;
    size_t most = 2 * 2 * (size_t)limits->high_offsets; /* choices of a level */
    size_t vectors = (most + lanes - 1) / lanes;
    size_t each = vectors * 2 * patterns * VECTOR_BYTES;
    char *level_space = scratch(search, &search->whole, (size_t)inputs * each);
    size_t row_bytes = (size_t)inputs * most * (sizeof(Row) + sizeof(Row *));
    Row *rows = scratch(search, &search->rows,
                        row_bytes + most * sizeof(Choice) + 64 * sizeof(int64_t));
    Row **order = (Row **)(rows + (size_t)inputs * most);
    Choice *choices = (Choice *)(order + (size_t)inputs * most);
    int64_t *shifts = (int64_t *)(choices + most);
    size_t uppers = 0, count = 0;
    const int64_t *low = table, *top = table;
    for (int level = 1; level < inputs; level++) {
        size_t runs = patterns >> level;
        int64_t spread = 0;
        for (size_t i = 0; i < runs; i++) {
            floors[i] = low[2 * i] < low[2 * i + 1] ? low[2 * i] : low[2 * i + 1];
            ceilings[i] = top[2 * i] > top[2 * i + 1] ? top[2 * i] : top[2 * i + 1];
            spreads[i] = ceilings[i] - floors[i];
            spread = spreads[i] > spread ? spreads[i] : spread;
        }
        int least = bit_length((uint64_t)spread), some = 0;
        least = least < 1 ? 1 : least;
        for (int bits = least; bits <= least + 1 && bits < width; bits++) {
            int place;
            int tried = high_offsets(search, floors, spreads, runs, bits, &place, shifts);
            for (int i = 0; i < tried; i++)
                choices[some++] = (Choice){bits, place, shifts[i], 1};
        }
        /* Each choice once more, with high parts that are as low as possible. */
        for (int i = 0; i < some; i++) {
            choices[some + i] = choices[i];
            choices[some + i].is_upper = 0;
        }
        if (some) {
            char *highs = level_space, *rests = level_space + vectors * patterns * VECTOR_BYTES;
            level_space += each;
            if (narrow)
                level_of_halves(search, table, inputs, level, floors, spreads, choices, 2 * some,
                                (SignedHalves *)highs, (SignedHalves *)rests, rows + count);
            else
                level_of_words(search, table, inputs, level, floors, spreads, choices, 2 * some,
                               (SignedWords *)highs, (SignedWords *)rests, rows + count);
            count += 2 * (size_t)some;
            uppers += (size_t)some;
        }
        low = floors;
        top = ceilings;
        floors += runs;
        spreads += runs;
        ceilings += runs;
    }
    /* Rows of the second kind all come last. */
    size_t upper = 0, lower = uppers;
    for (size_t i = 0; i < count; i++)
        order[rows[i].is_upper ? upper++ : lower++] = &rows[i];
    /* Those of equal LUTs stay in their order. */
    for (size_t i = 1; i < count; i++) {
        Row *row = order[i];
        size_t j = i;
        for (; j && order[j - 1]->luts > row->luts; j--)
            order[j] = order[j - 1];
        order[j] = row;
    }
    size_t chosen = 0;
    for (size_t i = 0; i < count && chosen < (size_t)limits->decompositions; i++) {
        int known = 0;
        for (size_t j = 0; j < chosen && !known; j++)
            known = same_rest(order[j], order[i], patterns, narrow);
        if (!known)
            order[chosen++] = order[i];
    }
    /* The best of the chosen ones, with the best offset of each part. */
    int once = max_parts == 2 || (int64_t)patterns >= limits->refined_once;
    int kept = 0, room = once ? 1 : (int)limits->refined;
    Shifted of_highs[room ? room : 1], of_rests[room ? room : 1];
    for (size_t i = 0; i < chosen; i++) {
        const Row *row = order[i];
        size_t runs = patterns >> row->level;
        int64_t *upper_part = scratch(search, &search->sorted, 2 * patterns * sizeof(int64_t));
        int64_t *lower_part = upper_part + patterns;
        for (size_t j = 0; j < runs; j++)
            upper_part[j] = entry_of(row->highs, j, row->lane, narrow);
        for (size_t j = 0; j < patterns; j++)
            lower_part[j] = entry_of(row->rests, j, row->lane, narrow);
        Shifted one = best_offset(search, upper_part, inputs - row->level);
        Shifted other = best_offset(search, lower_part, inputs);
        int64_t parts = (one.mask != 0) + (other.mask != 0);
        int64_t adders = (one.mask > 1) + (other.mask > 1);
        int64_t carries = (one.mask == 1 || (one.mask > 1 && one.lowest_may_carry)) +
                          (other.mask == 1 || (other.mask > 1 && other.lowest_may_carry));
        double luts = luts_of(search, one.luts + other.luts, parts, adders, carries);
        int at = kept;
        while (at && found[at - 1].luts > luts)
            at--;
        if (at >= room)
            continue;
        if (kept < room)
            kept++;
        for (int j = kept - 1; j > at; j--) {
            found[j] = found[j - 1];
            of_highs[j] = of_highs[j - 1];
            of_rests[j] = of_rests[j - 1];
        }
        int64_t *both = take_integers(search, runs + patterns);
        memcpy(both, upper_part, runs * sizeof(int64_t));
        memcpy(both + runs, lower_part, patterns * sizeof(int64_t));
        found[at] = (Decomposition){both, both + runs, row->level, row->place, row->constant, luts};
        of_highs[at] = one;
        of_rests[at] = other;
    }
    return kept;
}
