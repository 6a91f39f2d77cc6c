/* Bits, extremes and different values of arrays of integers. */

static int bit_length(uint64_t value)
{
    int bits = 0;
    for (; value >= 256; value >>= 8)
        bits += 8;
    for (; value; value >>= 1)
        bits++;
    return bits;
}

static int lowest_bit(uint64_t value)
{
    return __builtin_ctzll(value);
}

static int64_t largest(const int64_t *values, size_t count)
{
    int64_t most = values[0];
    for (size_t i = 1; i < count; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

static int64_t least_of(const int64_t *values, size_t count)
{
    int64_t least = values[0];
    for (size_t i = 1; i < count; i++)
        least = values[i] < least ? values[i] : least;
    return least;
}

static int ascending(const void *left, const void *right)
{
    uint64_t one = *(const uint64_t *)left, other = *(const uint64_t *)right;
    return (one > other) - (one < other);
}

/* Place of a value among ascending values, or that at which it belongs. */
static size_t place_of(uint64_t value, const uint64_t *values, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (values[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Sort without sign and drop what is there twice; the number of those that are left. */
static size_t distinct(uint64_t *values, size_t count)
{
    /* Few different values are the rule, so each is searched for among those found. */
    size_t found = 0;
    if (count <= 1 << 8) {
        for (size_t i = 0; i < count; i++) {
            uint64_t value = values[i];
            size_t low = place_of(value, values, found);
            if (low < found && values[low] == value)
                continue;
            memmove(values + low + 1, values + low, (found - low) * sizeof(*values));
            values[low] = value;
            found++;
        }
        return found;
    }
    qsort(values, count, sizeof(*values), ascending);
    for (size_t i = 0; i < count; i++)
        if (!found || values[found - 1] != values[i])
            values[found++] = values[i];
    return found;
}
