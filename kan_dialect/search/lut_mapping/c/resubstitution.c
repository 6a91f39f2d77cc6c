/* Fewer LUTs by other inputs, in C: `kan_dialect.search.lut_mapping.resubstitution`.

   It does what the class `Resubstitution` does, with arrays of words for truth tables. It draws the
   same random numbers in the same order, so that both find the same network. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_INPUTS 6
#define MOST_FREED 63

typedef uint64_t Word;

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
    int64_t *readers, *levels, *heights, *drawn, *candidates, *waiting, *place;
    char *seen, *after, *changed;
    Word *flipped, *freed; /* per signal */
    int64_t freed_count;

    /* The search for inputs of one LUT. */
    int64_t candidate_count, tries_left, old_cost, best_score;
    int64_t chosen[MOST_INPUTS], best[MOST_INPUTS], best_count;
    int64_t part_counts[MOST_INPUTS + 1];
    Word *parts;   /* (MOST_INPUTS + 1, 2^MOST_INPUTS, 2, words) */
    int64_t *options; /* (MOST_INPUTS, signals) */
    Word *on, *off, *care, *cells;
} Search;

/* --- Random numbers: SplitMix64 --- */

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

/* The lowest set bit from a place on, cyclic: as `_pick`. */
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

/* Order, readers, levels and heights anew: `_refresh`. */
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
    memcpy(s->place, s->readers, (size_t)s->signals * sizeof(int64_t));
    s->waiting[stack++] = signal;
    while (stack) {
        lut = s->waiting[--stack] - s->inputs;
        for (int64_t k = 0; k < s->sizes[lut]; k++) {
            int64_t operand = s->operands[lut * MOST_INPUTS + k];
            if (--s->place[operand] == 0 && operand >= s->inputs && s->freed_count < MOST_FREED) {
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

/* LUTs saved by inputs that keep these of `freed`, times 64, more for fewer inputs: `_score`. */
static int64_t score_of(const Search *s, Word kept, int64_t count)
{
    int64_t saved = s->freed_count - __builtin_popcountll(kept) + s->old_cost - (count > 1);
    return saved * 64 + (s->lut_inputs - count) * 8;
}

/* Parts split by a signal; returns how many are left, or -1 if more than `most`. */
static int64_t split(const Search *s, const Word *parts, int64_t count, const Word *by, Word *into,
                     int64_t most)
{
    int64_t words = s->words, left = 0;
    for (int64_t p = 0; p < count; p++) {
        const Word *on = parts + 2 * p * words, *off = on + words;
        Word on_high = 0, on_low = 0, off_high = 0, off_low = 0;
        for (int64_t w = 0; w < words; w++) {
            on_high |= on[w] & by[w];
            on_low |= on[w] & ~by[w];
            off_high |= off[w] & by[w];
            off_low |= off[w] & ~by[w];
        }
        if (on_low && off_low) {
            if (left == most)
                return -1;
            Word *new = into + 2 * left++ * words;
            for (int64_t w = 0; w < words; w++) {
                new[w] = on[w] & ~by[w];
                new[words + w] = off[w] & ~by[w];
            }
        }
        if (on_high && off_high) {
            if (left == most)
                return -1;
            Word *new = into + 2 * left++ * words;
            for (int64_t w = 0; w < words; w++) {
                new[w] = on[w] & by[w];
                new[words + w] = off[w] & by[w];
            }
        }
    }
    return left;
}

static void choose(Search *s, int64_t depth, Word kept)
{
    int64_t words = s->words, room = ((int64_t)2 << MOST_INPUTS) * words;
    Word *parts = s->parts + depth * room;
    int64_t count = s->part_counts[depth];
    if (count == 0) {
        int64_t score = score_of(s, kept, depth) + (int64_t)below(s, 8);
        if (score > s->best_score) {
            s->best_score = score;
            s->best_count = depth;
            memcpy(s->best, s->chosen, sizeof s->best);
        }
        return;
    }
    if (depth == s->lut_inputs || s->tries_left <= 0)
        return;
    s->tries_left--;
    int last = depth == s->lut_inputs - 1;
    int64_t on = pick(s, parts), off = pick(s, parts + words), found = 0;
    int64_t *options = s->options + depth * s->signals;
    for (int64_t c = 0; c < s->candidate_count; c++) {
        const Word *f = function_of(s, s->candidates[c]);
        if (((f[on >> 6] >> (on & 63)) ^ (f[off >> 6] >> (off & 63))) & 1)
            options[found++] = s->candidates[c];
    }
    int64_t most = last ? found : depth == 0 ? 24 : 12;
    most = most < found ? most : found;
    for (int64_t i = 0; i < most && s->tries_left > 0; i++) {
        int64_t j = i + (int64_t)below(s, (uint64_t)(found - i));
        int64_t signal = options[j];
        options[j] = options[i];
        options[i] = signal;
        Word keeps = kept | s->freed[signal];
        if (score_of(s, keeps, depth + 1) + 7 <= s->best_score)
            continue;
        int64_t left = split(s, parts, count, function_of(s, signal), parts + room,
                             last ? 0 : (int64_t)1 << MOST_INPUTS);
        if (left < 0)
            continue;
        s->chosen[depth] = signal;
        s->part_counts[depth + 1] = left;
        choose(s, depth + 1, keeps);
    }
}

/* Whether a function of these signals can tell the patterns of `on` from those of `off`. */
static int tells(Search *s, const int64_t *signals, int64_t count)
{
    int64_t words = s->words, room = ((int64_t)2 << MOST_INPUTS) * words, left = 1;
    memcpy(s->parts, s->on, (size_t)words * sizeof(Word));
    memcpy(s->parts + words, s->off, (size_t)words * sizeof(Word));
    for (int64_t k = 0; k < count; k++)
        left = split(s, s->parts + k * room, left, function_of(s, signals[k]),
                     s->parts + (k + 1) * room, (int64_t)1 << MOST_INPUTS);
    return left == 0;
}

/* Give a LUT these inputs and the table that follows from `on`. */
static void set_inputs(Search *s, int64_t lut, const int64_t *signals, int64_t count)
{
    Word table = 0;
    s->sizes[lut] = count;
    for (int64_t k = 0; k < count; k++)
        s->operands[lut * MOST_INPUTS + k] = signals[k];
    for (int64_t w = 0; w < s->words; w++)
        for (Word left = s->on[w]; left; left &= left - 1) {
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

/* Search other inputs for a LUT, and give it the best ones. Returns whether something changed. */
static int improve(Search *s, int64_t signal)
{
    int64_t words = s->words, lut = signal - s->inputs;
    find_care(s, signal);
    for (int64_t w = 0; w < words; w++) {
        s->on[w] = s->care[w] & function_of(s, signal)[w];
        s->off[w] = s->care[w] & ~function_of(s, signal)[w];
    }
    find_freed(s, signal);
    s->candidate_count = 0;
    int64_t highest = s->most_levels - 1 - s->heights[signal];
    for (int64_t i = 0; i < s->inputs; i++)
        s->candidates[s->candidate_count++] = i;
    for (int64_t i = 0; i < s->ordered; i++) {
        int64_t other = s->order[i];
        if (!s->after[other] && s->sizes[other - s->inputs] > 1 && s->levels[other] <= highest)
            s->candidates[s->candidate_count++] = other;
    }
    s->old_cost = s->sizes[lut] > 1;
    s->tries_left = s->tries;
    s->best_score = -1;
    memcpy(s->parts, s->on, (size_t)words * sizeof(Word));
    memcpy(s->parts + words, s->off, (size_t)words * sizeof(Word));
    s->part_counts[0] = !is_zero(s->on, words) && !is_zero(s->off, words);
    choose(s, 0, 0);
    if (s->best_score < 0)
        return 0;
    /* Earlier inputs may have become superfluous. */
    int64_t signals[MOST_INPUTS], count = s->best_count;
    memcpy(signals, s->best, sizeof signals);
    for (int64_t k = 0; k < count; k++) {
        int64_t fewer[MOST_INPUTS];
        for (int64_t i = 0; i < count - 1; i++)
            fewer[i] = signals[i + (i >= k)];
        if (tells(s, fewer, count - 1)) {
            memcpy(signals, fewer, sizeof signals);
            count--;
            k--;
        }
    }
    set_inputs(s, lut, signals, count);
    settle(s);
    return 1;
}

static int64_t count_luts(const Search *s)
{
    int64_t count = 0;
    for (int64_t i = 0; i < s->ordered; i++)
        count += s->sizes[s->order[i] - s->inputs] > 1;
    return count;
}

static void *room_for(int64_t count, size_t size, int *failed)
{
    void *found = calloc((size_t)(count ? count : 1), size);
    *failed |= !found;
    return found;
}

/* `Resubstitution.run`. Numbers: inputs, LUTs, outputs, LUT inputs, patterns, most levels, tries,
   rounds, rounds without gain. Everything else is changed in place. Returns 1 where memory ends. */
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
    int64_t **arrays[] = {&s.order,      &s.readers, &s.levels, &s.heights, &s.drawn,
                          &s.candidates, &s.waiting, &s.place};
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
    s.options = room_for(MOST_INPUTS * s.signals, sizeof(int64_t), &failed);
    s.parts = room_for((MOST_INPUTS + 1) * ((int64_t)2 << MOST_INPUTS) * s.words, sizeof(Word),
                       &failed);
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
        }
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(*arrays[i]);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        free(*marks[i]);
    for (size_t i = 0; i < sizeof of_words / sizeof *of_words; i++)
        free(*of_words[i]);
    free(s.flipped);
    free(s.freed);
    free(s.options);
    free(s.parts);
    return failed;
}
