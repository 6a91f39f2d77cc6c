/* Fewer LUTs by other inputs: the search of `resubstitution.py`, which describes it.

   Truth tables are arrays of words. Random numbers decide between equals. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_INPUTS 6
/* LUTs below one LUT that can be counted as unread: bits of a word. */
#define MOST_FREED 63
/* Signals that are tried as the first input of a LUT, and as further ones except the last. */
#define FIRST_OPTIONS 24
#define FURTHER_OPTIONS 12
/* Signals that are tried as each input of two LUTs, except the last one. */
#define PAIR_OPTIONS 8
/* Sets of inputs that are extended: of the upper one of two LUTs; of the lower one, each time. */
#define PAIR_TRIES 60
#define BELOW_TRIES 20
/* Combinations of values of other inputs in which a LUT below may have to tell patterns apart. */
#define MOST_PARTS 6
/* Choices of what the LUT below is in each of these. */
#define SIDES 2
/* What a LUT and an input less count for. Random numbers below the latter decide between equals. */
#define SCORE_LUT 64
#define SCORE_INPUT 8

typedef uint64_t Word;

/* The search for inputs of one LUT. */
typedef struct {
    int64_t chosen[MOST_INPUTS];
    int64_t part_counts[MOST_INPUTS + 1];
    Word *parts;      /* (MOST_INPUTS + 1, 2^MOST_INPUTS + 1, 2, words) */
    int64_t *options; /* (MOST_INPUTS, signals) */
    int64_t tries, highest;
} Inputs;

/* What has been found: inputs of the LUT and of one below it, which is 1 and 0 at patterns. */
typedef struct {
    int64_t score, chosen[2][MOST_INPUTS], count[2];
    Word kept;
    Word *sides; /* (2, words) */
} Found;

typedef struct {
    /* As given: `LutNetwork`, where LUT i is signal `inputs` + i, and truth tables of signals. */
    int64_t inputs, luts, outputs, lut_inputs, words, patterns, most_levels, tries;
    int64_t *sizes, *operands; /* per LUT: number of inputs, and MOST_INPUTS signals */
    Word *tables;
    int64_t *output;
    Word *functions; /* per signal, `words` each */
    uint64_t random;

    int64_t signals;
    int64_t *order, ordered; /* LUTs that are read, as signals, operands first */
    int64_t *readers, *levels, *heights, *drawn, *candidates, *waiting, *left_readers;
    char *seen, *after, *changed;
    Word *flipped, *freed; /* per signal */
    int64_t freed_luts[MOST_FREED], freed_count;

    int64_t candidate_count, old_cost, blocks;
    Word *columns;    /* (64 * words, blocks): values of 64 candidates each at a pattern */
    Word *allowed[2]; /* candidates whose levels the upper and the lower LUT may read */
    int pair; /* a LUT below gets other inputs, too */
    Inputs of[2];
    Found best;
    Word *on, *off, *care;
} Search;

/* --- Random numbers: SplitMix64 (G. Steele, D. Lea and C. Flood, OOPSLA 2014) --- */

static uint64_t below(Search *s, uint64_t count)
{
    uint64_t z = s->random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return ((z >> 32) * count) >> 32;
}

/* --- Truth tables --- */

static int is_zero(const Word *a, int64_t words)
{
    Word any = 0;
    for (int64_t w = 0; w < words; w++)
        any |= a[w];
    return any == 0;
}

static Word *function_of(const Search *s, int64_t signal)
{
    return s->functions + signal * s->words;
}

/* One word of a LUT by a tree of multiplexers. */
static Word look_up(Word table, const Word *values, int64_t count)
{
    Word level[1 << (MOST_INPUTS - 1)];
    if (count == 0)
        return -(table & 1);
    int64_t half = (int64_t)1 << (count - 1);
    for (int64_t p = 0; p < half; p++) {
        Word low = -(table >> (2 * p) & 1), high = -(table >> (2 * p + 1) & 1);
        level[p] = low ^ ((low ^ high) & values[0]);
    }
    for (int64_t k = 1; k < count; k++) {
        half >>= 1;
        for (int64_t p = 0; p < half; p++)
            level[p] = level[2 * p] ^ ((level[2 * p] ^ level[2 * p + 1]) & values[k]);
    }
    return level[0];
}

/* The function of a LUT, whose operands are in `flipped` where they are marked in `changed`. */
static void evaluate(Search *s, int64_t signal, const char *changed, Word *result)
{
    int64_t lut = signal - s->inputs, count = s->sizes[lut];
    const Word *of[MOST_INPUTS];
    for (int64_t k = 0; k < count; k++) {
        int64_t operand = s->operands[lut * MOST_INPUTS + k];
        of[k] = changed && changed[operand] ? s->flipped + operand * s->words
                                            : function_of(s, operand);
    }
    for (int64_t w = 0; w < s->words; w++) {
        Word values[MOST_INPUTS];
        for (int64_t k = 0; k < count; k++)
            values[k] = of[k][w];
        result[w] = look_up(s->tables[lut], values, count);
    }
    int64_t rest = s->patterns & 63;
    if (rest)
        result[s->words - 1] &= ((Word)1 << rest) - 1;
}

/* One of the patterns, random: the lowest set bit from a place on, cyclic. */
static int64_t pick(Search *s, const Word *set)
{
    int64_t start = (int64_t)below(s, (uint64_t)s->patterns), word = start >> 6;
    Word first = set[word] >> (start & 63) << (start & 63);
    for (int64_t w = word; w < s->words; w++, first = w < s->words ? set[w] : 0)
        if (first)
            return w * 64 + __builtin_ctzll(first);
    for (int64_t w = 0;; w++)
        if (set[w])
            return w * 64 + __builtin_ctzll(set[w]);
}

/* --- The network --- */

static void visit(Search *s, int64_t signal)
{
    if (signal < s->inputs || s->seen[signal])
        return;
    s->seen[signal] = 1;
    int64_t lut = signal - s->inputs;
    for (int64_t k = 0; k < s->sizes[lut]; k++) {
        int64_t operand = s->operands[lut * MOST_INPUTS + k];
        s->readers[operand]++;
        visit(s, operand);
    }
    s->order[s->ordered++] = signal;
}

/* Order, readers, levels and heights anew. */
static void refresh(Search *s)
{
    memset(s->seen, 0, (size_t)s->signals);
    memset(s->readers, 0, (size_t)s->signals * sizeof(int64_t));
    memset(s->heights, 0, (size_t)s->signals * sizeof(int64_t));
    s->ordered = 0;
    for (int64_t o = 0; o < s->outputs; o++) {
        s->readers[s->output[o]]++;
        visit(s, s->output[o]);
    }
    for (int64_t i = 0; i < s->ordered; i++) {
        int64_t signal = s->order[i], lut = signal - s->inputs, most = 0;
        for (int64_t k = 0; k < s->sizes[lut]; k++) {
            int64_t level = s->levels[s->operands[lut * MOST_INPUTS + k]];
            most = level > most ? level : most;
        }
        s->levels[signal] = most + (s->sizes[lut] > 1);
    }
    for (int64_t i = s->ordered - 1; i >= 0; i--) {
        int64_t signal = s->order[i], lut = signal - s->inputs;
        int64_t height = s->heights[signal] + (s->sizes[lut] > 1);
        for (int64_t k = 0; k < s->sizes[lut]; k++) {
            int64_t operand = s->operands[lut * MOST_INPUTS + k];
            s->heights[operand] = height > s->heights[operand] ? height : s->heights[operand];
        }
    }
}

/* Mark what depends on a signal, and find the patterns at which it changes an output. */
static void find_care(Search *s, int64_t signal)
{
    int64_t words = s->words, rest = s->patterns & 63;
    memset(s->after, 0, (size_t)s->signals);
    memset(s->changed, 0, (size_t)s->signals);
    memset(s->care, 0, (size_t)words * sizeof(Word));
    s->after[signal] = s->changed[signal] = 1;
    for (int64_t w = 0; w < words; w++)
        s->flipped[signal * words + w] = ~function_of(s, signal)[w];
    if (rest)
        s->flipped[signal * words + words - 1] &= ((Word)1 << rest) - 1;
    for (int64_t i = 0; i < s->ordered; i++) {
        int64_t reader = s->order[i], lut = reader - s->inputs;
        if (reader == signal)
            continue;
        int changed = 0;
        for (int64_t k = 0; k < s->sizes[lut]; k++) {
            int64_t operand = s->operands[lut * MOST_INPUTS + k];
            s->after[reader] |= s->after[operand];
            changed |= s->changed[operand];
        }
        if (changed) {
            Word *result = s->flipped + reader * words;
            evaluate(s, reader, s->changed, result);
            s->changed[reader] =
                memcmp(result, function_of(s, reader), (size_t)words * sizeof(Word)) != 0;
        }
    }
    for (int64_t o = 0; o < s->outputs; o++) {
        int64_t output = s->output[o];
        if (s->changed[output])
            for (int64_t w = 0; w < words; w++)
                s->care[w] |= s->flipped[output * words + w] ^ function_of(s, output)[w];
    }
}

/* The LUTs that only this one needs; for each, in `freed`, itself and those below it. */
static void find_freed(Search *s, int64_t signal)
{
    int64_t stack = 0, lut = signal - s->inputs;
    s->freed_count = 0;
    memset(s->freed, 0, (size_t)s->signals * sizeof(Word));
    memcpy(s->left_readers, s->readers, (size_t)s->signals * sizeof(int64_t));
    s->waiting[stack++] = signal;
    while (stack) {
        lut = s->waiting[--stack] - s->inputs;
        for (int64_t k = 0; k < s->sizes[lut]; k++) {
            int64_t operand = s->operands[lut * MOST_INPUTS + k];
            if (--s->left_readers[operand] == 0 && operand >= s->inputs && s->freed_count < MOST_FREED) {
                s->freed_luts[s->freed_count] = operand;
                s->freed[operand] = (Word)1 << s->freed_count++;
                s->waiting[stack++] = operand;
            }
        }
    }
    for (int64_t i = 0; i < s->ordered; i++) {
        int64_t reader = s->order[i];
        if (!s->freed[reader])
            continue;
        lut = reader - s->inputs;
        for (int64_t k = 0; k < s->sizes[lut]; k++)
            s->freed[reader] |= s->freed[s->operands[lut * MOST_INPUTS + k]];
    }
}

/* --- Other inputs for one LUT --- */

/* Score of `count` inputs, or of more, that keep these of `freed` read. */
static int64_t score_of(const Search *s, Word kept, int64_t count)
{
    int64_t cost = s->pair ? 2 : count > 1;
    int64_t saved = s->freed_count - __builtin_popcountll(kept) + s->old_cost - cost;
    return saved * SCORE_LUT + (s->lut_inputs - count) * SCORE_INPUT;
}

/* Parts split by a signal; returns how many are left. */
static int64_t split(const Search *s, const Word *parts, int64_t count, const Word *by, Word *into)
{
    int64_t words = s->words;
    Word *new = into;
    for (int64_t p = 0; p < count; p++) {
        const Word *on = parts + 2 * p * words, *off = on + words;
        for (Word other = ~(Word)0;; other = 0) { /* the low half, then the high one */
            Word any_on = 0, any_off = 0;
            for (int64_t w = 0; w < words; w++) {
                any_on |= new[w] = on[w] & (by[w] ^ other);
                any_off |= new[words + w] = off[w] & (by[w] ^ other);
            }
            if (any_on && any_off)
                new += 2 * words;
            if (!other)
                break;
        }
    }
    return (new - into) / (2 * words);
}

/* Whether a signal tells all parts apart. */
static int tells_all(const Search *s, const Word *parts, int64_t count, const Word *by)
{
    int64_t words = s->words;
    if (words == 1) {
        Word high = by[0], low = ~high;
        for (int64_t p = 0; p < count; p++, parts += 2)
            if (((parts[0] & high) && (parts[1] & high)) || ((parts[0] & low) && (parts[1] & low)))
                return 0;
        return 1;
    }
    for (int64_t p = 0; p < count; p++) {
        const Word *on = parts + 2 * p * words, *off = on + words;
        Word on_high = 0, on_low = 0, off_high = 0, off_low = 0;
        for (int64_t w = 0; w < words; w++) {
            on_high |= on[w] & by[w];
            on_low |= on[w] & ~by[w];
            off_high |= off[w] & by[w];
            off_low |= off[w] & ~by[w];
        }
        if ((on_high && off_high) || (on_low && off_low))
            return 0;
    }
    return 1;
}

static int64_t part_room(const Search *s)
{
    return (((int64_t)2 << MOST_INPUTS) + 2) * s->words; /* `split` writes one part more */
}

static void choose(Search *s, int which, int64_t depth, Word kept);

/* Start the search for inputs of a LUT that is 1 at patterns, and 0 at others. */
static void start(Search *s, int which, const Word *on, const Word *off, int64_t tries, Word kept)
{
    Inputs *of = &s->of[which];
    memmove(of->parts, on, (size_t)s->words * sizeof(Word));
    memmove(of->parts + s->words, off, (size_t)s->words * sizeof(Word));
    of->part_counts[0] = !is_zero(on, s->words) && !is_zero(off, s->words);
    of->tries = tries;
    choose(s, which, 0, kept);
}

/* A LUT below tells apart what is left; in each part it may be 1 or 0 where the upper one is 1. */
static void choose_below(Search *s, const Word *parts, int64_t count, Word kept)
{
    if (count > MOST_PARTS)
        return;
    for (int side = 0; side < (count > 1 ? SIDES : 1); side++) {
        memset(s->best.sides + 2 * s->words, 0, 2 * (size_t)s->words * sizeof(Word));
        Word *one = s->best.sides + 2 * s->words, *zero = one + s->words;
        for (int64_t p = 0; p < count; p++) {
            int64_t swapped = p ? (int64_t)below(s, 2) : 0;
            const Word *on = parts + (2 * p + swapped) * s->words;
            const Word *off = parts + (2 * p + !swapped) * s->words;
            for (int64_t w = 0; w < s->words; w++) {
                one[w] |= on[w];
                zero[w] |= off[w];
            }
        }
        start(s, 1, one, zero, BELOW_TRIES, kept);
    }
}

static void keep_best(Search *s, int which, int64_t depth, Word kept)
{
    int64_t score = score_of(s, kept, depth) + (int64_t)below(s, SCORE_INPUT);
    Found *best = &s->best;
    if (score <= best->score)
        return;
    best->score = score;
    best->kept = kept;
    best->count[0] = which ? s->lut_inputs - 1 : depth;
    best->count[1] = which ? depth : 0;
    for (int k = 0; k < 2; k++)
        memcpy(best->chosen[k], s->of[k].chosen, sizeof best->chosen[k]);
    if (which)
        memcpy(best->sides, s->of[1].parts, 2 * (size_t)s->words * sizeof(Word));
}

/* Candidates of a block that have different values at two patterns. */
static Word differing(const Search *s, int which, int64_t block, int64_t on, int64_t off)
{
    const Word *columns = s->columns + block;
    return (columns[on * s->blocks] ^ columns[off * s->blocks]) & s->allowed[which][block];
}

/* The last input: each candidate that tells all parts apart. Two pairs of patterns of each part
   rule out most others, 64 at a time. */
static void choose_last(Search *s, int which, int64_t depth, Word kept)
{
    Inputs *of = &s->of[which];
    const Word *parts = of->parts + depth * part_room(s);
    int64_t words = s->words, count = of->part_counts[depth], ends[2 << MOST_INPUTS][2];
    for (int64_t p = 0; p < count; p++)
        for (int side = 0; side < 2; side++) {
            const Word *set = parts + (2 * p + side) * words;
            int64_t first = 0, last = words - 1;
            while (!set[first])
                first++;
            while (!set[last])
                last--;
            ends[2 * p][side] = 64 * first + __builtin_ctzll(set[first]);
            ends[2 * p + 1][side] = 64 * last + 63 - __builtin_clzll(set[last]);
        }
    for (int64_t b = 0; b < s->blocks; b++) {
        Word left = s->allowed[which][b];
        for (int64_t p = 0; p < 2 * count && left; p++)
            left &= differing(s, which, b, ends[p][0], ends[p][1]);
        for (; left; left &= left - 1) {
            int64_t signal = s->candidates[64 * b + __builtin_ctzll(left)];
            if (!tells_all(s, parts, count, function_of(s, signal)))
                continue;
            of->chosen[depth] = signal;
            keep_best(s, which, depth + 1, kept | s->freed[signal]);
        }
    }
}

static void choose(Search *s, int which, int64_t depth, Word kept)
{
    Inputs *of = &s->of[which];
    Word *parts = of->parts + depth * part_room(s);
    int64_t words = s->words, count = of->part_counts[depth];
    int above = s->pair && !which; /* with a LUT below for the last input */
    if (count == 0) {
        if (!above)
            keep_best(s, which, depth, kept);
        return;
    }
    if (depth == s->lut_inputs || of->tries <= 0)
        return;
    of->tries--;
    int last = depth == s->lut_inputs - 1;
    if (above && last) {
        choose_below(s, parts, count, kept);
        return;
    }
    if (last) {
        choose_last(s, which, depth, kept);
        return;
    }
    int64_t on = pick(s, parts), off = pick(s, parts + words), found = 0;
    int64_t *options = of->options + depth * s->signals;
    for (int64_t b = 0; b < s->blocks; b++)
        for (Word left = differing(s, which, b, on, off); left; left &= left - 1)
            options[found++] = s->candidates[64 * b + __builtin_ctzll(left)];
    int64_t most = s->pair ? PAIR_OPTIONS : depth ? FURTHER_OPTIONS : FIRST_OPTIONS;
    most = most < found ? most : found;
    for (int64_t i = 0; i < most && of->tries > 0; i++) {
        int64_t j = i + (int64_t)below(s, (uint64_t)(found - i));
        int64_t signal = options[j];
        options[j] = options[i];
        options[i] = signal;
        Word keeps = kept | s->freed[signal];
        if (score_of(s, keeps, above ? 1 : depth + 1) + SCORE_INPUT - 1 <= s->best.score)
            continue;
        int64_t left =
            split(s, parts, count, function_of(s, signal), parts + part_room(s));
        of->chosen[depth] = signal;
        of->part_counts[depth + 1] = left;
        choose(s, which, depth + 1, keeps);
    }
}

/* Whether a function of these signals can tell patterns apart. */
static int tells(Search *s, const int64_t *signals, int64_t count, const Word *on, const Word *off)
{
    int64_t words = s->words, room = part_room(s), left = 1;
    Word *parts = s->of[0].parts;
    memcpy(parts, on, (size_t)words * sizeof(Word));
    memcpy(parts + words, off, (size_t)words * sizeof(Word));
    for (int64_t k = 0; k < count; k++)
        left = split(s, parts + k * room, left, function_of(s, signals[k]),
                     parts + (k + 1) * room);
    return left == 0;
}

/* Give a LUT those of these inputs that it needs, and the table that follows from `on`. */
static void set_inputs(Search *s, int64_t signal, const int64_t *given, int64_t count,
                       const Word *on, const Word *off)
{
    int64_t lut = signal - s->inputs, signals[MOST_INPUTS];
    memcpy(signals, given, sizeof signals);
    for (int64_t k = 0; k < count;) {
        int64_t fewer[MOST_INPUTS] = {0};
        for (int64_t i = 0; i < count - 1; i++)
            fewer[i] = signals[i + (i >= k)];
        if (tells(s, fewer, count - 1, on, off)) {
            memcpy(signals, fewer, sizeof signals);
            count--;
        } else
            k++;
    }
    Word table = 0;
    s->sizes[lut] = count;
    for (int64_t k = 0; k < count; k++)
        s->operands[lut * MOST_INPUTS + k] = signals[k];
    for (int64_t w = 0; w < s->words; w++)
        for (Word left = on[w]; left; left &= left - 1) {
            int64_t bit = __builtin_ctzll(left), pattern = 0;
            for (int64_t k = 0; k < count; k++)
                pattern |= (int64_t)(function_of(s, signals[k])[w] >> bit & 1) << k;
            table |= (Word)1 << pattern;
        }
    s->tables[lut] = table;
}

/* The table of a LUT with one input fixed to a value, or equal to another input or its inverse. */
static void drop_input(Search *s, int64_t lut, int64_t which, int64_t other, int invert)
{
    int64_t count = s->sizes[lut];
    Word table = 0, old = s->tables[lut];
    for (int64_t p = 0; p < (int64_t)1 << (count - 1); p++) {
        int64_t low = p & (((int64_t)1 << which) - 1);
        int64_t pattern = low | (p >> which << (which + 1));
        int64_t value = other < 0 ? invert : (pattern >> other & 1) ^ invert;
        table |= (old >> (pattern | value << which) & 1) << p;
    }
    s->tables[lut] = table;
    for (int64_t k = which; k + 1 < count; k++)
        s->operands[lut * MOST_INPUTS + k] = s->operands[lut * MOST_INPUTS + k + 1];
    s->sizes[lut] = count - 1;
}

/* Have what reads a signal read another one or its inverse instead, or a constant (other < 0). */
static void replace(Search *s, int64_t signal, int64_t other, int invert)
{
    for (int64_t i = 0; i < s->ordered; i++) {
        int64_t lut = s->order[i] - s->inputs, which = -1, same = -1;
        int64_t *operands = s->operands + lut * MOST_INPUTS;
        for (int64_t k = 0; k < s->sizes[lut]; k++) {
            if (operands[k] == signal)
                which = k;
            if (operands[k] == other)
                same = k;
        }
        if (which < 0)
            continue;
        if (other < 0 || same >= 0) {
            drop_input(s, lut, which, same, invert);
            continue;
        }
        operands[which] = other;
        if (invert) {
            Word table = 0;
            for (int64_t p = 0; p < (int64_t)1 << s->sizes[lut]; p++)
                table |= (s->tables[lut] >> (p ^ (int64_t)1 << which) & 1) << p;
            s->tables[lut] = table;
        }
    }
    if (!invert)
        for (int64_t o = 0; o < s->outputs; o++)
            if (s->output[o] == signal)
                s->output[o] = other;
}

/* Make LUTs that became constant or copies vanish, from the operands on; functions anew. */
static void settle(Search *s)
{
    int64_t at = 0;
    refresh(s);
    while (at < s->ordered) {
        int64_t signal = s->order[at], lut = signal - s->inputs;
        if (!s->after[signal]) {
            at++;
            continue;
        }
        evaluate(s, signal, NULL, function_of(s, signal));
        int64_t *operands = s->operands + lut * MOST_INPUTS;
        /* Inputs that the table does not depend on. */
        for (int64_t k = s->sizes[lut] - 1; k >= 0; k--) {
            Word differ = 0;
            for (int64_t p = 0; p < (int64_t)1 << s->sizes[lut]; p++)
                differ |= (s->tables[lut] >> p ^ s->tables[lut] >> (p ^ (int64_t)1 << k)) & 1;
            if (!differ)
                drop_input(s, lut, k, -1, 0);
        }
        int vanishes = 0;
        if (s->sizes[lut] == 0)
            vanishes = 1;
        else if (s->sizes[lut] == 1) {
            int output = 0;
            for (int64_t o = 0; o < s->outputs; o++)
                output += s->output[o] == signal;
            /* An inverter that only outputs read stays. */
            vanishes = s->readers[signal] > output || s->tables[lut] == 2;
        }
        if (vanishes) {
            int64_t other = s->sizes[lut] ? operands[0] : -1;
            replace(s, signal, other, s->sizes[lut] ? s->tables[lut] == 1 : (int)s->tables[lut]);
            refresh(s);
            at = 0;
        } else
            at++;
    }
    refresh(s);
}

/* Transpose 64 words of 64 bits. (H. Warren, Hacker's Delight, 7-3, of other bit order.) */
static void transpose(Word *a)
{
    Word mask = 0x00000000FFFFFFFFu;
    for (int step = 32; step; step >>= 1, mask ^= mask << step)
        for (int k = 0; k < 64; k = (k + step + 1) & ~step) {
            Word swapped = ((a[k] >> step) ^ a[k + step]) & mask;
            a[k] ^= swapped << step;
            a[k + step] ^= swapped;
        }
}

/* The values of all candidates at each pattern, 64 candidates a word. */
static void find_columns(Search *s)
{
    s->blocks = (s->candidate_count + 63) / 64;
    for (int64_t b = 0; b < s->blocks; b++) {
        int64_t count = s->candidate_count - 64 * b;
        count = count < 64 ? count : 64;
        for (int which = 0; which < 2; which++)
            s->allowed[which][b] = 0;
        for (int64_t i = 0; i < count; i++)
            for (int which = 0; which < 2; which++)
                s->allowed[which][b] |=
                    (Word)(s->levels[s->candidates[64 * b + i]] <= s->of[which].highest) << i;
        for (int64_t w = 0; w < s->words; w++) {
            Word block[64] = {0};
            for (int64_t i = 0; i < count; i++)
                block[i] = function_of(s, s->candidates[64 * b + i])[w];
            transpose(block);
            for (int64_t i = 0; i < 64; i++)
                s->columns[(64 * w + i) * s->blocks + b] = block[i];
        }
    }
}

/* Search other inputs for a LUT, and perhaps for one below it. */
static void improve(Search *s, int64_t signal)
{
    int64_t words = s->words, lut = signal - s->inputs;
    Found *best = &s->best;
    find_care(s, signal);
    for (int64_t w = 0; w < words; w++) {
        s->on[w] = s->care[w] & function_of(s, signal)[w];
        s->off[w] = s->care[w] & ~function_of(s, signal)[w];
    }
    find_freed(s, signal);
    s->candidate_count = 0;
    s->of[0].highest = s->most_levels - 1 - s->heights[signal];
    s->of[1].highest = s->of[0].highest - 1;
    for (int64_t i = 0; i < s->inputs; i++)
        s->candidates[s->candidate_count++] = i;
    for (int64_t i = 0; i < s->ordered; i++) {
        int64_t other = s->order[i];
        if (!s->after[other] && s->sizes[other - s->inputs] > 1)
            s->candidates[s->candidate_count++] = other;
    }
    find_columns(s);
    s->old_cost = s->sizes[lut] > 1;
    s->pair = 0;
    best->score = -1;
    start(s, 0, s->on, s->off, s->tries, 0);
    if (best->score < SCORE_LUT && s->old_cost && s->freed_count) {
        int64_t alone = best->score;
        s->pair = 1;
        best->score = -1;
        start(s, 0, s->on, s->off, PAIR_TRIES, 0);
        if (best->score < 0)
            best->score = alone;
    }
    if (best->score < 0)
        return;
    if (best->count[1]) {
        int64_t place = 0;
        while (best->kept >> place & 1)
            place++;
        int64_t lower = s->freed_luts[place];
        set_inputs(s, lower, best->chosen[1], best->count[1], best->sides, best->sides + words);
        evaluate(s, lower, NULL, function_of(s, lower));
        best->chosen[0][best->count[0]++] = lower;
        s->after[lower] = 1;
    }
    set_inputs(s, signal, best->chosen[0], best->count[0], s->on, s->off);
    settle(s);
}

static int64_t count_luts(const Search *s)
{
    int64_t count = 0;
    for (int64_t i = 0; i < s->ordered; i++)
        count += s->sizes[s->order[i] - s->inputs] > 1;
    return count;
}

/* Number of LUTs that are outputs: the fewest that there can be. */
static int64_t count_outputs(Search *s)
{
    int64_t count = 0;
    memset(s->after, 0, (size_t)s->signals);
    for (int64_t o = 0; o < s->outputs; o++) {
        int64_t output = s->output[o];
        if (output >= s->inputs && !s->after[output])
            count += s->sizes[output - s->inputs] > 1;
        s->after[output] = 1;
    }
    return count;
}

static void *room_for(int64_t count, size_t size, int *failed)
{
    void *found = calloc((size_t)(count ? count : 1), size);
    *failed |= found == NULL;
    return found;
}

/* Numbers: inputs, LUTs, outputs, LUT inputs, patterns, most levels, tries, rounds, rounds without
   gain. LUTs are visited in random order, round by round, until only outputs are left. Everything
   else is changed in place. Returns 1 where memory ends. */
int kan_resubstitute(const int64_t *numbers, int64_t *sizes, int64_t *operands, uint64_t *tables,
                     int64_t *output, uint64_t *functions)
{
    int failed = 0;
    Search s = {.inputs = numbers[0],
                .luts = numbers[1],
                .outputs = numbers[2],
                .lut_inputs = numbers[3],
                .patterns = numbers[4],
                .most_levels = numbers[5],
                .tries = numbers[6],
                .sizes = sizes,
                .operands = operands,
                .tables = tables,
                .output = output,
                .functions = functions};
    s.random = 1;
    s.words = (s.patterns + 63) / 64;
    s.signals = s.inputs + s.luts;
    int64_t **arrays[] = {&s.order,   &s.readers,    &s.levels,  &s.heights,
                          &s.drawn,   &s.candidates, &s.waiting, &s.left_readers};
    char **marks[] = {&s.seen, &s.after, &s.changed};
    Word **of_words[] = {&s.on, &s.off, &s.care};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = room_for(s.signals, sizeof(int64_t), &failed);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        *marks[i] = room_for(s.signals, 1, &failed);
    for (size_t i = 0; i < sizeof of_words / sizeof *of_words; i++)
        *of_words[i] = room_for(s.words, sizeof(Word), &failed);
    s.flipped = room_for(s.signals * s.words, sizeof(Word), &failed);
    s.freed = room_for(s.signals, sizeof(Word), &failed);
    s.best.sides = room_for(4 * s.words, sizeof(Word), &failed); /* those of a trial behind */
    int64_t blocks = (s.signals + 63) / 64;
    s.columns = room_for(64 * s.words * blocks, sizeof(Word), &failed);
    for (int which = 0; which < 2; which++) {
        s.allowed[which] = room_for(blocks, sizeof(Word), &failed);
        s.of[which].parts = room_for((MOST_INPUTS + 1) * part_room(&s), sizeof(Word), &failed);
        s.of[which].options = room_for(MOST_INPUTS * s.signals, sizeof(int64_t), &failed);
    }
    if (!failed) {
        memset(s.after, 1, (size_t)s.signals);
        settle(&s);
        int64_t least = count_luts(&s), idle = 0;
        for (int64_t round = 0; round < numbers[7] && idle < numbers[8]; round++) {
            int64_t count = s.ordered;
            memcpy(s.drawn, s.order, (size_t)count * sizeof(int64_t));
            for (int64_t i = 0; i < count; i++) {
                int64_t j = i + (int64_t)below(&s, (uint64_t)(count - i));
                int64_t signal = s.drawn[j];
                s.drawn[j] = s.drawn[i];
                s.drawn[i] = signal;
                if (s.seen[signal])
                    improve(&s, signal);
            }
            int64_t now = count_luts(&s);
            idle = now < least ? 0 : idle + 1;
            least = now;
            if (now == count_outputs(&s))
                break;
        }
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(*arrays[i]);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        free(*marks[i]);
    for (size_t i = 0; i < sizeof of_words / sizeof *of_words; i++)
        free(*of_words[i]);
    for (int which = 0; which < 2; which++) {
        free(s.of[which].parts);
        free(s.of[which].options);
        free(s.allowed[which]);
    }
    free(s.columns);
    free(s.flipped);
    free(s.freed);
    free(s.best.sides);
    return failed;
}
