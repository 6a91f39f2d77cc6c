/* LUTs of parts and of their sums, and the offsets at which parts cost least.

   Vectors are those of GCC and Clang, and become SIMD instructions of any machine. */

typedef uint8_t Bytes __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t Halves __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t Words __attribute__((vector_size(VECTOR_BYTES)));
typedef int16_t SignedHalves __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t SignedWords __attribute__((vector_size(VECTOR_BYTES)));

/* One vector of columns: the sum of the costs of all bits of each, and the support of its lowest bit
   that depends on an input. The support is the number of inputs that a bit depends on. */
#define DEFINE_BIT_SUMS(NAME, VECTOR, SCALAR)                                                      \
    static void NAME(const VECTOR *columns, int inputs, int count, const double *costs,            \
                     double *luts, int *lowest)                                                    \
    {                                                                                              \
        size_t patterns = (size_t)1 << inputs;                                                     \
        VECTOR ones = {0}, twos = {0}, fours = {0}, eights = {0};                                  \
        for (int variable = 0; variable < inputs; variable++) {                                    \
            VECTOR differ = {0};                                                                   \
            size_t step = (size_t)1 << variable;                                                   \
            for (size_t base = 0; base < patterns; base += 2 * step)                               \
                for (size_t i = base; i < base + step; i++)                                        \
                    differ |= columns[i] ^ columns[i + step];                                      \
            VECTOR carry = ones & differ;                                                          \
            ones ^= differ;                                                                        \
            VECTOR next = twos & carry;                                                            \
            twos ^= carry;                                                                         \
            carry = fours & next;                                                                  \
            fours ^= next;                                                                         \
            eights ^= carry;                                                                       \
        }                                                                                          \
        for (int column = 0; column < count; column++) {                                           \
            uint64_t one = (SCALAR)ones[column], two = (SCALAR)twos[column];                       \
            uint64_t four = (SCALAR)fours[column], eight = (SCALAR)eights[column];                 \
            uint64_t any = one | two | four | eight;                                               \
            double sum = 0;                                                                        \
            int first = 0;                                                                         \
            for (uint64_t left = any; left; left &= left - 1) {                                    \
                int bit = lowest_bit(left);                                                        \
                int used = (int)((one >> bit & 1) | (two >> bit & 1) << 1 |                        \
                                 (four >> bit & 1) << 2 | (eight >> bit & 1) << 3);                \
                if (!first)                                                                        \
                    first = used;                                                                  \
                sum += costs[used];                                                                \
            }                                                                                      \
            luts[column] = sum;                                                                    \
            lowest[column] = first;                                                                \
        }                                                                                          \
    }

DEFINE_BIT_SUMS(bit_sums_of_bytes, Bytes, uint8_t)
DEFINE_BIT_SUMS(bit_sums_of_halves, Halves, uint16_t)
DEFINE_BIT_SUMS(bit_sums_of_words, Words, uint64_t)

/* LUTs of one table with the offsets `first`, `first` + 1, ... of those that are tried. */
#define DEFINE_TRY_OFFSETS(NAME, VECTOR, SCALAR, BIT_SUMS)                                         \
    static void NAME(Search *search, const int64_t *table, int inputs, int64_t span,               \
                     int64_t tried, int64_t first, double *luts, int *lowest)                      \
    {                                                                                              \
        enum { LANES = VECTOR_BYTES / sizeof(SCALAR) };                                            \
        size_t patterns = (size_t)1 << inputs;                                                     \
        int count = tried - first < LANES ? (int)(tried - first) : LANES;                          \
        VECTOR offsets = {0};                                                                      \
        for (int lane = 0; lane < count; lane++)                                                   \
            offsets[lane] = (SCALAR)((first + lane) * span / tried);                               \
        VECTOR *columns = scratch(search, &search->columns, patterns * sizeof(VECTOR));            \
        for (size_t i = 0; i < patterns; i++)                                                      \
            columns[i] = offsets + (SCALAR)table[i];                                               \
        BIT_SUMS(columns, inputs, count, search->costs.summand_costs, luts, lowest);               \
    }

DEFINE_TRY_OFFSETS(try_bytes, Bytes, uint8_t, bit_sums_of_bytes)
DEFINE_TRY_OFFSETS(try_halves, Halves, uint16_t, bit_sums_of_halves)
DEFINE_TRY_OFFSETS(try_words, Words, uint64_t, bit_sums_of_words)

static int may_carry(const Search *search, int inputs)
{
    return search->costs.summand_costs[inputs] > search->costs.bit_costs[inputs];
}

typedef struct {
    int64_t offset;
    uint64_t mask;
    double luts;
    int lowest_may_carry;
} Shifted;

/* The offset at which the bits of a table cost least, the first of equal ones. */
static Shifted best_offset(Search *search, const int64_t *table, int inputs)
{
    size_t patterns = (size_t)1 << inputs;
    int64_t high = largest(table, patterns);
    int64_t span = ((int64_t)1 << bit_length((uint64_t)high)) - high;
    int64_t tried = span < search->limits.offsets ? span : search->limits.offsets;
    /* Entries and offsets are less than a power of two together. */
    int width = bit_length((uint64_t)(high + span - 1));
    int lanes = width <= 8 ? VECTOR_BYTES : width <= 16 ? VECTOR_BYTES / 2 : VECTOR_BYTES / 8;
    Shifted best = {0, 0, 0, 0};
    int best_lowest = 0;
    for (int64_t first = 0; first < tried; first += lanes) {
        double luts[VECTOR_BYTES];
        int lowest[VECTOR_BYTES];
        (width <= 8 ? try_bytes : width <= 16 ? try_halves : try_words)(
            search, table, inputs, span, tried, first, luts, lowest);
        for (int lane = 0; lane < lanes && first + lane < tried; lane++)
            if (first + lane == 0 || luts[lane] < best.luts) {
                best.offset = (first + lane) * span / tried;
                best.luts = luts[lane];
                best_lowest = lowest[lane];
            }
    }
    for (size_t i = 0; i < patterns; i++)
        best.mask |= (uint64_t)(table[i] + best.offset);
    best.lowest_may_carry = may_carry(search, best_lowest);
    return best;
}

/* LUTs of a sum of parts that is added to another sum: `PartCosts.of`. */
static double luts_of(const Search *search, double bit_luts, int64_t parts, int64_t adders,
                      int64_t carries)
{
    int64_t bits = parts - adders;
    if (bits > adders)
        adders = bits;
    int64_t saved = adders < carries ? adders : carries;
    int64_t further = adders > 1 ? adders - 1 : 0;
    return bit_luts - search->costs.carry_in * (double)saved +
           search->costs.further * (double)further;
}

static double cost(const Search *search, const Split *split)
{
    return luts_of(search, split->bit_luts, split->count, split->adders, split->carries);
}

static double cost_of_both(const Search *search, const Split *one, const Split *other)
{
    return luts_of(search, one->bit_luts + other->bit_luts, one->count + other->count,
                   one->adders + other->adders, one->carries + other->carries);
}

/* LUTs of the fewest bits that tell the entries apart: no sum of parts costs less. */
static double lower_bound(Search *search, const int64_t *table, int inputs)
{
    size_t patterns = (size_t)1 << inputs;
    uint64_t *values = scratch(search, &search->sorted, patterns * sizeof(uint64_t));
    memcpy(values, table, patterns * sizeof(uint64_t));
    return bit_length(distinct(values, patterns) - 1) * search->cheapest_bit;
}
