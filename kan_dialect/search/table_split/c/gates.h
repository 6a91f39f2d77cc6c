/* Tables as a high part that leaves out the last input bits, and a part gated by these bits. */

typedef struct {
    const int64_t *high;
    int gate_bits, inputs; /* of the high part */
    int64_t constant;
    const Split *lower;
    double luts;
} Gated;

/* A gated part as a sum of one part. */
static const Split *gated_split(Search *search, int gate_bits, int class_inputs,
                                const int64_t *classes, const int64_t *amounts, int64_t columns)
{
    size_t patterns = (size_t)1 << class_inputs;
    size_t size = ((size_t)1 << gate_bits) * (size_t)columns;
    uint64_t mask = 0;
    for (size_t i = 0; i < size; i++)
        mask |= (uint64_t)amounts[i];
    int inputs = bit_length(size - 1), used[64] = {0};
    for (int variable = 0; variable < inputs; variable++) {
        uint64_t differ = 0;
        for (size_t i = 0; i < size; i++)
            differ |= (uint64_t)(amounts[i] ^ amounts[i ^ (size_t)1 << variable]);
        for (; differ; differ &= differ - 1)
            used[lowest_bit(differ)]++;
    }
    double luts;
    int lowest;
    Halves *columns_of = scratch(search, &search->columns, patterns * sizeof(Halves));
    for (size_t i = 0; i < patterns; i++)
        columns_of[i] = (Halves){(uint16_t)classes[i]};
    bit_sums_of_halves(columns_of, class_inputs, 1, search->costs.bit_costs, &luts, &lowest);
    for (int bit = 0; bit < bit_length(mask); bit++) {
        used[bit] = used[bit] < search->costs.most ? used[bit] : (int)search->costs.most;
        luts += search->costs.summand_costs[used[bit]];
    }
    Part part = {0, 0, gate_bits, (int64_t)patterns, columns, 0, classes, amounts};
    return of_part(search, part, mask, 0, luts, may_carry(search, mask ? used[0] : 0));
}

static void offer(Search *search, Gated *found, const int64_t *high, int inputs, int gate_bits,
                  const int64_t *classes, const int64_t *amounts, int64_t columns,
                  int64_t constant)
{
    const Split *lower = gated_split(search, gate_bits, inputs, classes, amounts, columns);
    double luts = cost_of_both(search, split_of(search, high, inputs, 1), lower);
    Gated *best = &found[gate_bits];
    if (!best->lower || luts < best->luts)
        *best = (Gated){high, gate_bits, inputs, constant, lower, luts};
}

/* Amounts of the classes `first` .. `end` - 1 of one value of the gate: 0, 1, ... */
static void count_up(int64_t *amounts, int gate, int64_t columns, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++)
        amounts[gate * columns + i] = i - first;
}

/* Classes of fewer than `bits` bits, which number the differences of neighbours; and high parts
   that are one neighbour less a constant, where the gate adds the constant, or the difference to
   the other neighbour. */
static void offer_variants(Search *search, const int64_t *table, int inputs, Gated *found,
                           const int64_t *rises, const int64_t *lesser, int bits, int64_t least,
                           int64_t most)
{
    size_t runs = (size_t)1 << (inputs - 1);
    uint64_t *values = scratch(search, &search->sorted, runs * sizeof(uint64_t));
    for (size_t i = 0; i < runs; i++)
        values[i] = (uint64_t)(rises[i] - least);
    size_t count = distinct(values, runs);
    int class_bits = bit_length(count - 1);
    if (class_bits < bits) {
        int64_t columns = (int64_t)1 << class_bits;
        int64_t *classes = take_integers(search, runs);
        int64_t *amounts = take_integers(search, 2 * (size_t)columns);
        for (size_t i = 0; i < runs; i++)
            classes[i] = (int64_t)place_of((uint64_t)(rises[i] - least), values, count);
        for (int64_t i = 0; i < columns; i++) {
            int64_t rise = (int64_t)values[i < (int64_t)count ? i : (int64_t)count - 1] + least;
            amounts[i] = rise < 0 ? -rise : 0;
            amounts[columns + i] = rise > 0 ? rise : 0;
        }
        offer(search, found, lesser, inputs - 1, 1, classes, amounts, columns, 0);
    }
    for (int gate = 0; gate < 2; gate++) {
        int64_t constant = gate ? most : -least;
        if (constant <= 0)
            continue;
        int64_t *high = take_integers(search, runs), *classes = take_integers(search, runs);
        for (size_t i = 0; i < runs; i++) {
            classes[i] = (gate ? -rises[i] : rises[i]) + constant;
            high[i] = table[2 * i + (size_t)gate];
        }
        int64_t columns = (int64_t)1 << bit_length((uint64_t)largest(classes, runs));
        int64_t *amounts = take_integers(search, 2 * (size_t)columns);
        count_up(amounts, 1 - gate, columns, 0, columns);
        for (int64_t i = 0; i < columns; i++)
            amounts[gate * columns + i] = constant;
        int64_t lowest = least_of(high, runs);
        for (size_t i = 0; i < runs; i++)
            high[i] -= lowest;
        offer(search, found, high, inputs - 1, 1, classes, amounts, columns, lowest - constant);
    }
}

/* High parts that leave out two or three bits: the class is the shape of the entries that these
   tell apart, after the least entry has gone to the high part. Shapes are bytes of a word. */
static void offer_shapes(Search *search, const int64_t *table, int inputs, Gated *found)
{
    for (int gate_bits = 2; gate_bits <= search->limits.shape_bits; gate_bits++) {
        size_t width = (size_t)1 << gate_bits, patterns = (size_t)1 << inputs;
        if (patterns <= 2 * width)
            return;
        size_t runs = patterns >> gate_bits;
        uint64_t *keys = scratch(search, &search->sorted, 2 * runs * sizeof(uint64_t));
        uint64_t *values = keys + runs;
        for (size_t i = 0; i < runs; i++) {
            int64_t least = least_of(table + i * width, width);
            keys[i] = 0;
            for (size_t j = 0; j < width; j++) {
                int64_t above = table[i * width + j] - least;
                if (above > 255)
                    return;
                keys[i] |= (uint64_t)above << (8 * j);
            }
            values[i] = keys[i];
        }
        size_t count = distinct(values, runs);
        int class_bits = bit_length(count - 1);
        if (gate_bits + class_bits > search->limits.shape_inputs)
            continue;
        int64_t columns = (int64_t)1 << class_bits;
        int64_t *high = take_integers(search, runs), *classes = take_integers(search, runs);
        int64_t *amounts = take_integers(search, width * (size_t)columns);
        for (size_t i = 0; i < runs; i++) {
            high[i] = least_of(table + i * width, width);
            classes[i] = (int64_t)place_of(keys[i], values, count);
        }
        for (int64_t i = 0; i < columns; i++) {
            uint64_t shape = values[i < (int64_t)count ? i : (int64_t)count - 1];
            for (size_t j = 0; j < width; j++)
                amounts[(int64_t)j * columns + i] = (int64_t)(shape >> (8 * j) & 255);
        }
        offer(search, found, high, inputs - gate_bits, gate_bits, classes, amounts, columns, 0);
    }
}

/* The cheapest gate of each number of bits.

   The high part is the lesser of two neighbours; the class says by how much the other one is
   greater, and which one that is. */
static void best_gated(Search *search, const int64_t *table, int inputs, Gated *found)
{
    size_t runs = (size_t)1 << (inputs - 1);
    int64_t *rises = take_integers(search, runs), *lesser = take_integers(search, runs);
    int64_t *classes = take_integers(search, runs);
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (size_t i = 0; i < runs; i++) {
        rises[i] = table[2 * i + 1] - table[2 * i];
        lesser[i] = rises[i] < 0 ? table[2 * i + 1] : table[2 * i];
        least = rises[i] < least ? rises[i] : least;
        most = rises[i] > most ? rises[i] : most;
    }
    int64_t furthest = -least > most ? -least : most;
    int bits = bit_length((uint64_t)(furthest > 0 ? furthest : 0));
    if (bits > search->limits.gate_bits)
        return;
    int64_t half = (int64_t)1 << bits;
    int one_way = least >= 0 || most <= 0;
    int64_t columns = one_way ? half : 2 * half;
    int64_t *amounts = take_integers(search, 2 * (size_t)columns);
    memset(amounts, 0, 2 * (size_t)columns * sizeof(int64_t));
    for (size_t i = 0; i < runs; i++) {
        int64_t distance = rises[i] < 0 ? -rises[i] : rises[i];
        classes[i] = one_way || rises[i] >= 0 ? distance : distance + half;
    }
    if (one_way) {
        count_up(amounts, least >= 0, columns, 0, half);
    } else {
        count_up(amounts, 1, columns, 0, half);
        count_up(amounts, 0, columns, half, 2 * half);
        bits++;
    }
    offer(search, found, lesser, inputs - 1, 1, classes, amounts, columns, 0);
    if ((int64_t)1 << inputs >= search->limits.gate_variants) {
        offer_variants(search, table, inputs, found, rises, lesser, bits, least, most);
        offer_shapes(search, table, inputs, found);
    }
}
