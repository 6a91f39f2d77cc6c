/* The pair of summands that is best added next: the class `Pairing` of `pairing.py`.

   The cost of a pair stays the same while others are added, so it is computed once. Of equal
   costs, the first pair wins. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* `top` of a summand that may be negative: more bits than any summand has. */
#define SIGNED_BITS (1 << 10)

/* `Summand`; its bits without those that are absorbed and lowest zeros; its bits; its number. */
typedef struct {
    int64_t low, high, zeros, arrival, absorbed, own, top, number;
} Summand;

typedef struct {
    Summand *summands; /* by rising number */
    double *costs;     /* row: the earlier summand of a pair, column: the later one */
    double *least;     /* the least of each row */
    char *gone;        /* has been added */
    int64_t used, room, left, next_number, depth, whole_bits;
} Pairing;

/* Bits of a number at least 0, rounded to the nearest float64. */
static int64_t width_of(int64_t value)
{
    union {
        double number;
        uint64_t bits;
    } as = {(double)value};
    return value > 0 ? (int64_t)(as.bits >> 52 & 0x7FF) - 1022 : 0;
}

/* Bits of integers in this range: two's complement where they may be negative. */
static int64_t bits_of(int64_t low, int64_t high)
{
    int64_t negative = low < 0 ? ~low : 0;
    return width_of(high > negative ? high : negative) + (low < 0);
}

static int64_t added(int64_t one, int64_t other)
{
    return (int64_t)((uint64_t)one + (uint64_t)other);
}

static int64_t smaller(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

static int64_t larger(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

static double power_of_two(int64_t exponent)
{
    return ldexp(1.0, (int)exponent);
}

/* Cost of a pair in LUTs. Of equal costs, the fractions prefer early pairs, and then pairs of one
   level. Where a number has no sign, nothing is added above its highest bit, but the carry. */
static double cost_of(const Summand *one, const Summand *other, int64_t depth, int64_t whole_bits)
{
    int64_t whole = bits_of(added(one->low, other->low), added(one->high, other->high));
    int64_t bits = whole_bits ? whole : smaller(smaller(one->top, other->top), whole);
    bits -= larger(one->zeros, other->zeros);
    bits = larger(bits - larger(one->absorbed, other->absorbed), 0);
    int64_t luts = bits + whole - smaller(one->zeros, other->zeros) - one->own - other->own;
    double level = (double)larger(one->arrival, other->arrival) / 64;
    double apart =
        power_of_two(one->arrival - (depth + 8)) - power_of_two(other->arrival - (depth + 8));
    return (double)luts + level + fabs(apart);
}

/* Room for `count` more summands and a few others; drops those that have been added. */
static int make_room(Pairing *pairing, int64_t count)
{
    int64_t room = (pairing->left + count) * 5 / 4 + 8, kept = 0;
    double *costs = malloc((size_t)(room * room) * sizeof(double));
    double *least = malloc((size_t)room * sizeof(double));
    Summand *summands = malloc((size_t)room * sizeof(Summand));
    char *gone = calloc((size_t)room, 1);
    int64_t *places = malloc((size_t)(pairing->used + 1) * sizeof(int64_t));
    if (!costs || !least || !summands || !gone || !places) {
        free(costs);
        free(least);
        free(summands);
        free(gone);
        free(places);
        return 1;
    }
    for (int64_t i = 0; i < pairing->used; i++)
        if (!pairing->gone[i])
            places[kept++] = i;
    for (int64_t i = 0; i < kept; i++) {
        summands[i] = pairing->summands[places[i]];
        least[i] = pairing->least[places[i]];
        for (int64_t j = i + 1; j < kept; j++)
            costs[i * room + j] = pairing->costs[places[i] * pairing->room + places[j]];
    }
    free(places);
    free(pairing->costs);
    free(pairing->least);
    free(pairing->summands);
    free(pairing->gone);
    pairing->costs = costs;
    pairing->least = least;
    pairing->summands = summands;
    pairing->gone = gone;
    pairing->used = kept;
    pairing->room = room;
    return 0;
}

void kan_free_pairing(Pairing *pairing)
{
    if (!pairing)
        return;
    free(pairing->costs);
    free(pairing->least);
    free(pairing->summands);
    free(pairing->gone);
    free(pairing);
}

/* A pairing of no summands; `depth`: levels of the tree. NULL where memory ends. */
Pairing *kan_new_pairing(int64_t depth, int64_t whole_bits)
{
    Pairing *pairing = calloc(1, sizeof(Pairing));
    if (pairing) {
        pairing->depth = depth;
        pairing->whole_bits = whole_bits;
    }
    return pairing;
}

/* More summands: a row of low, high, zeros, arrival, absorbed each. Returns 1 where memory ends. */
int kan_extend_pairing(Pairing *pairing, const int64_t *rows, int64_t count)
{
    if (pairing->used + count > pairing->room && make_room(pairing, count))
        return 1;
    for (int64_t i = 0; i < count; i++) {
        int64_t place = pairing->used++;
        Summand *new = &pairing->summands[place];
        const int64_t *row = rows + 5 * i;
        *new = (Summand){row[0], row[1], row[2], row[3], row[4], 0, 0, pairing->next_number++};
        int64_t bits = bits_of(new->low, new->high);
        new->own = larger(bits - new->zeros - new->absorbed, 0);
        new->top = new->low < 0 ? SIGNED_BITS : bits;
        pairing->gone[place] = 0;
        pairing->least[place] = INFINITY;
        pairing->left++;
        for (int64_t j = 0; j < place; j++) {
            if (pairing->gone[j])
                continue;
            double cost =
                cost_of(&pairing->summands[j], new, pairing->depth, pairing->whole_bits);
            pairing->costs[j * pairing->room + place] = cost;
            if (cost < pairing->least[j])
                pairing->least[j] = cost;
        }
    }
    return 0;
}

/* The numbers of the cheapest two summands, and the larger number of their zeros. Later arrivals
   than `bits` fit with equal ones only, `bits` itself with those of at least `missing`. */
void kan_best_pair(const Pairing *pairing, int64_t bits, int64_t missing, int64_t *found)
{
    const Summand *summands = pairing->summands;
    double best = INFINITY;
    int64_t left = -1, right = -1;
    for (int64_t i = 0; i < pairing->used; i++)
        if (!pairing->gone[i] && pairing->least[i] < best) {
            best = pairing->least[i];
            left = i;
        }
    if (left < 0) { /* no two summands are left, which the caller rules out */
        found[0] = found[1] = found[2] = 0;
        return;
    }
    for (int64_t j = left + 1; j < pairing->used && right < 0; j++)
        if (!pairing->gone[j] && pairing->costs[left * pairing->room + j] == best)
            right = j;
    int64_t one = summands[left].arrival, other = summands[right].arrival;
    int64_t later = larger(one, other), earlier = smaller(one, other);
    if (!(later == earlier || later < bits || (later == bits && earlier >= missing))) {
        best = INFINITY;
        for (int64_t i = 0; i < pairing->used; i++) {
            if (pairing->gone[i] || !(pairing->least[i] < best))
                continue;
            for (int64_t j = i + 1; j < pairing->used; j++) {
                if (pairing->gone[j] || !(pairing->costs[i * pairing->room + j] < best))
                    continue;
                later = larger(summands[i].arrival, summands[j].arrival);
                earlier = smaller(summands[i].arrival, summands[j].arrival);
                if (later == earlier || later < bits || (later == bits && earlier >= missing)) {
                    best = pairing->costs[i * pairing->room + j];
                    left = i;
                    right = j;
                }
            }
        }
    }
    found[0] = summands[left].number;
    found[1] = summands[right].number;
    found[2] = larger(summands[left].zeros, summands[right].zeros);
}

/* Take two summands away, the one with the lesser number first, and tell their arrivals. */
void kan_take_pair(Pairing *pairing, int64_t left, int64_t right, int64_t *arrivals)
{
    int64_t numbers[2] = {left, right}, place = 0;
    for (int k = 0; k < 2; k++) {
        while (pairing->summands[place].number != numbers[k])
            place++;
        arrivals[k] = pairing->summands[place].arrival;
        pairing->gone[place] = 1;
        pairing->left--;
        for (int64_t i = 0; i < place; i++) {
            const double *row = pairing->costs + i * pairing->room;
            if (pairing->gone[i] || row[place] != pairing->least[i])
                continue;
            pairing->least[i] = INFINITY;
            for (int64_t j = i + 1; j < pairing->used; j++)
                if (!pairing->gone[j] && row[j] < pairing->least[i])
                    pairing->least[i] = row[j];
        }
    }
}
