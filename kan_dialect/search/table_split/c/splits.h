/* Sums of parts: `Split` of `parts.py`. */

/* A sum of one part; `mask`: bits that any entry of the part has. */
static const Split *of_part(Search *search, Part part, uint64_t mask, int64_t constant,
                            double bit_luts, int lowest_may_carry)
{
    Split *split = take(search, sizeof(Split));
    *split = (Split){0, constant, 0, 0, 0, NULL};
    if (mask) {
        Part *kept = take(search, sizeof(Part));
        *kept = part;
        split->bit_luts = bit_luts;
        split->adders = mask != 1;
        split->carries = mask == 1 || lowest_may_carry;
        split->count = 1;
        split->parts = kept;
    }
    return split;
}

static const Split *shifted_split(Search *search, const int64_t *table, int inputs, Shifted found)
{
    Part part = {0, 0, 0, (int64_t)1 << inputs, 0, found.offset, table, NULL};
    return of_part(search, part, found.mask, -found.offset, found.luts, found.lowest_may_carry);
}

/* `upper` times 2^place, of an input with `skipped` more bits below; `lower`; and a constant. */
static const Split *joined(Search *search, const Split *upper, int skipped, int place,
                           const Split *lower, int64_t constant)
{
    Split *split = take(search, sizeof(Split));
    int64_t count = upper->count + lower->count;
    Part *parts = take(search, (size_t)(count ? count : 1) * sizeof(Part));
    for (int64_t i = 0; i < upper->count; i++) {
        parts[i] = upper->parts[i];
        parts[i].skipped += skipped;
        parts[i].place += place;
    }
    if (lower->count)
        memcpy(parts + upper->count, lower->parts, (size_t)lower->count * sizeof(Part));
    int64_t raised = (int64_t)((uint64_t)upper->constant << place);
    *split = (Split){upper->bit_luts + lower->bit_luts, raised + lower->constant + constant,
                     upper->adders + lower->adders, upper->carries + lower->carries, count, parts};
    return split;
}

static const Split *split_of(Search *search, const int64_t *table, int inputs, int64_t max_parts);
