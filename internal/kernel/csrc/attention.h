// Causal attention over the blocks of the cache, and the element-wise part of its adjoint.
//
// A query vector is one row's one head. Those that read the same key/value head are taken HEIGHT at a time, as the rows of two
// small matrix products: with a block of transposed keys (a panel), and with a block of values. Each score and each output has
// one accumulator and one ascending chain, so it does not matter which query vectors are taken together.
// Numbers of the cache are widened as they are loaded: the result is that of float numbers with the same values.
//
// A cache that lies in memory is asked for ahead, into the second-level cache: a block's values while its keys are read, the next chunk's
// keys while the values are. The processor's own prefetching stops at pages of 4 KiB, and a block's keys are one.
#include "tile.h"
#include "cache.h"

#define BLOCK 16
#define CHUNK 256
#define MOST_BLOCKS 4 // whose scores are computed at once
#define LINE (64 / (int)sizeof(NUMBER)) // numbers of a cache line
#define STEP (LINE / BLOCK)             // numbers of each key in one
#if defined(KV_Q8_0)
#define GROUP 32 // numbers along the head that share a scale
#define SCALED(x, scale) v_mul(x, scale)
#else
#define GROUP STEP
#define SCALED(x, scale) (x)
#endif
#define KEEP_LOOP _Pragma("clang loop unroll(disable)")
#if defined(LEVEL_AVX512)
#define EACH_OF_STEP UNROLL
#else
#define EACH_OF_STEP KEEP_LOOP // with 16 registers or fewer clang would hold too many numbers at once
#endif

_Static_assert(HEIGHT <= 2 * W, "attentionTile takes the logarithms of a tile in two vectors");

// span is what the parts of a tile share.
typedef struct {
	const NUMBER *kv; // the key/value head in block 0
	const int32_t *table;
	i64 blockNumbers, headSize;
	float scale;
	float *q, *fresh, *scores; // queries, the chunk's outputs [HEIGHT][headSize], scores [HEIGHT][CHUNK]
	i64 start, last;           // the chunk's first key, and the end of the keys that some query vector of the tile sees
} span;

// chunk_end is the end of the chunk's keys.
INLINE i64 chunk_end(const span *s) { return smaller(s->last, s->start + CHUNK); }

#if defined(KV_Q8_0)

// key_scales of a head's part of a block, F16 [headSize / 32][BLOCK]; those of the values follow, [BLOCK][headSize / 32].
INLINE const uint16_t *key_scales(const NUMBER *head, i64 headSize) { return (const uint16_t *)(head + 2 * headSize * BLOCK); }

#endif

// score_blocks writes scale * q k for the keys of `blocks` blocks from `key`.
INLINE void score_blocks(const int rows, const int blocks, const span *s, i64 key) {
	const i64 headSize = s->headSize;
	const NUMBER *b[MOST_BLOCKS];
	const float *base[HEIGHT / 3];
	UNROLL for (int c = 0; c < blocks; c++) b[c] = s->kv + s->table[key / BLOCK + c] * s->blockNumbers;
	vf acc[HEIGHT][MOST_BLOCKS * VP];
	UNROLL for (int i = 0; i < rows; i += 3) base[i / 3] = s->q + i * headSize;
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < blocks * VP; v++) acc[i][v] = v_zero();
	for (i64 k = 0; k < headSize; k += GROUP) {
#if defined(KV_Q8_0)
		vf scale[MOST_BLOCKS * VP];
		UNROLL for (int v = 0; v < blocks * VP; v++)
			scale[v] = scale_load(key_scales(s->kv + s->table[key / BLOCK + v / VP] * s->blockNumbers, headSize) + k / GROUP * BLOCK + v % VP * W);
#endif
		KEEP_LOOP for (int step = GROUP; step > 0; step -= STEP) {
			UNROLL for (int c = 0; c < blocks; c++) v_prefetch(b[c] + headSize * BLOCK);
			EACH_OF_STEP for (int n = 0; n < STEP; n++) {
				OUTER(v_fma, rows, blocks * VP, acc, v_set(base[i / 3][i % 3 * headSize]), SCALED(kv_load(b[v / VP] + v % VP * W), scale[v]));
				UNROLL for (int i = 0; i < rows; i += 3) {
					base[i / 3]++;
					__asm__("" : "+r"(base[i / 3]));
				}
				UNROLL for (int c = 0; c < blocks; c++) b[c] += BLOCK;
			}
		}
	}
	float *to = s->scores + (key - s->start);
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < blocks * VP; v++)
		v_store(to + i * CHUNK + v * W, v_mul(acc[i][v], v_set(s->scale)));
}

#if defined(KV_Q8_0)

// value_scales widens the scales of the chunk's values, to [CHUNK][headSize / 32] behind the scores, and asks for all scales of the next chunk.
static __attribute__((noinline)) void value_scales(const span *s) {
	float *to = s->scores + HEIGHT * CHUNK;
	for (i64 key = s->start, end = chunk_end(s); key < end; key += BLOCK) {
		const uint16_t *from = key_scales(s->kv + s->table[key / BLOCK] * s->blockNumbers, s->headSize) + s->headSize / GROUP * BLOCK;
		for (i64 i = s->headSize / GROUP * BLOCK; i > 0; i -= W, to += W, from += W) v_store(to, scale_load(from));
		if (key + CHUNK >= s->last) continue;
		const uint16_t *next = key_scales(s->kv + s->table[(key + CHUNK) / BLOCK] * s->blockNumbers, s->headSize);
		for (i64 c = 0; c < s->headSize; c += LINE / 2) v_prefetch(next + c);
	}
}

#endif

// score_rows writes the scores of the chunk, several blocks at a time where there are few rows, to hide the latency of fma.
INLINE void score_rows(const int rows, const int blocks, const span *s) {
	const i64 end = chunk_end(s);
	i64 key = s->start;
	for (; blocks > 1 && key + (blocks - 1) * BLOCK < end; key += blocks * BLOCK) score_blocks(rows, blocks, s, key);
	for (; key < end; key += BLOCK) score_blocks(rows, 1, s, key);
}

// value_columns writes the sum of p v over the keys of the chunk for panels * 16 columns of the head from j; where they are
// not whole, for as many as one such tail has: one vector for NEON, since several masks at once cost too many registers.
#if defined(LEVEL_NEON)
#define TAIL 1
#else
#define TAIL VP
#endif
INLINE void value_columns(const int rows, const int panels, const int whole, const span *s, i64 j) {
	const i64 headSize = s->headSize, end = chunk_end(s);
	const int vectors = whole ? panels * VP : TAIL;
	vf acc[HEIGHT][2 * VP];
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = v_zero();
	for (i64 key = s->start; key < end; key += BLOCK) {
		const NUMBER *b = s->kv + s->table[key / BLOCK] * s->blockNumbers + headSize * BLOCK + j;
		// The next chunk's keys, of which the passes over the columns take a part each.
		const i64 ahead = key + CHUNK < s->last ? (s->table[(key + CHUNK) / BLOCK] - s->table[key / BLOCK]) * s->blockNumbers - headSize * BLOCK : 0;
#if defined(KV_Q8_0)
		const float *scale = s->scores + HEIGHT * CHUNK + (key - s->start) * (headSize / GROUP) + j / GROUP;
#endif
		const float *base[HEIGHT / 3];
		UNROLL for (int i = 0; i < rows; i += 3) base[i / 3] = s->scores + (key - s->start) + i * CHUNK;
		for (i64 t = smaller(end - key, BLOCK); t > 0; t--) {
#if defined(KV_Q8_0)
			OUTER(v_fma, rows, vectors, acc, v_set(base[i / 3][i % 3 * CHUNK]), v_mul(kv_load(b + v * W), v_set(*scale)));
			scale += headSize / GROUP;
#else
			OUTER(v_fma, rows, vectors, acc, v_set(base[i / 3][i % 3 * CHUNK]), kv_get(b + v * W, whole, v_first(headSize - j - v * W)));
#endif
			UNROLL for (int i = 0; i < rows; i += 3) base[i / 3]++;
			UNROLL for (int c = 0; c < panels * PANEL; c += LINE) v_prefetch(b + ahead + c);
			b += headSize;
		}
	}
	UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++)
		v_put(s->fresh + i * headSize + j + v * W, acc[i][v], whole, v_first(headSize - j - v * W));
}

INLINE void value_rows(const int rows, const int panels, const span *s) {
	i64 j = 0;
	for (; j + panels * PANEL <= s->headSize; j += panels * PANEL) value_columns(rows, panels, 1, s, j);
#if !defined(KV_Q8_0) // whose heads are whole groups
	for (; panels > 1 && j + PANEL <= s->headSize; j += PANEL) value_columns(rows, 1, 1, s, j);
	if (j < s->headSize) do value_columns(rows, 1, 0, s, j);
		while (TAIL < VP && (j += W) < s->headSize);
#endif
}

#define ATTEND(rows, blocks, panels) \
	static __attribute__((noinline)) void scores##rows(const span *s) { score_rows(rows, blocks, s); } \
	static __attribute__((noinline)) void values##rows(const span *s) { value_rows(rows, panels, s); }
#if defined(LEVEL_AVX512)
ATTEND(1, 4, 2) ATTEND(2, 4, 2) ATTEND(3, 4, 2) ATTEND(4, 2, 2) ATTEND(6, 2, 2) ATTEND(8, 1, 2) ATTEND(12, 1, 2)
#elif defined(KV_Q8_0)
ATTEND(1, 2, 2) ATTEND(2, 1, 2) ATTEND(3, 1, 1) ATTEND(4, 1, 1) ATTEND(6, 1, 1)
#else
ATTEND(1, 4, 2) ATTEND(2, 2, 2) ATTEND(3, 2, 1) ATTEND(4, 1, 1) ATTEND(6, 1, 1)
#endif

// exponentials turns n scores into exp(score - maximum), and those up to end, which the query vector does not see, into 0. It writes
// their maximum to most[0] and the sum of the exponentials to most[PANEL].
static __attribute__((noinline)) void exponentials(float *scores, i64 n, i64 end, float *most) {
	vf highest = v_set(-INFINITE), sum = v_zero();
	for (i64 j = 0; j < n; j += W) {
		const vf x = v_load(scores + j);
		highest = v_max(v_select(v_first(n - j), x, highest), highest);
	}
	*most = v_maximum(highest);
	highest = v_set(*most);
	i64 j = 0;
	for (; j < n; j += W) {
		const vf e = v_select(v_first(n - j), v_exp(v_sub(v_load(scores + j), highest)), v_zero());
		sum = v_add(sum, e);
		v_store(scores + j, e);
	}
	for (; j < end; j += W) v_store(scores + j, v_zero());
	most[PANEL] = v_sum(sum);
}

INLINE void merge_step(float *o, const float *fresh, vf a, vf b, i64 j, int whole, vm mask) {
	v_put(o + j, v_fma(v_get(fresh + j, whole, mask), b, v_mul(v_get(o + j, whole, mask), a)), whole, mask);
}

// merge takes a chunk's (maximum, sum, output) into the running ones (Dao et al. 2022, algorithm 1). The maximum and the sum are
// at most[0] and most[PANEL], the chunk's two panels behind.
static __attribute__((noinline)) void merge(float *o, const float *fresh, i64 headSize, float *most) {
	const float freshMost = most[2 * PANEL], merged = *most > freshMost ? *most : freshMost;
	vf a = v_exp(v_set(*most - merged)), b = v_exp(v_set(freshMost - merged));
	*most = merged;
	most[PANEL] = s_first(a) * most[PANEL] + s_first(b) * most[3 * PANEL];
	EACH_VECTOR(headSize, merge_step, o, fresh, a, b);
}

INLINE void copy_step(float *to, const float *from, vf a, i64 j, int whole, vm mask) {
	v_put(to + j, v_mul(v_get(from + j, whole, mask), a), whole, mask);
}

#define RUN_ATTEND(name, count, ...) \
	do { \
		if (count == 1) name##1(__VA_ARGS__); \
		else if (count == 2) name##2(__VA_ARGS__); \
		else if (count == 3) name##3(__VA_ARGS__); \
		else if (count == 4) name##4(__VA_ARGS__); \
		else if (count == 6) name##6(__VA_ARGS__); \
		RUN_ATTEND_TALL(name, count, __VA_ARGS__) \
	} while (0)
#if defined(LEVEL_AVX512)
#define RUN_ATTEND_TALL(name, count, ...) else if (count == 8) name##8(__VA_ARGS__); else name##12(__VA_ARGS__);
#else
#define RUN_ATTEND_TALL(name, count, ...)
#endif

// seen is how many keys of a chunk a query vector sees.
INLINE i64 seen(i64 keys, i64 start) { return larger(smaller(keys - start, CHUNK), 0); }

// attentionTile evaluates the chunk of keys from `start` for count <= HEIGHT neighbouring query vectors of one key/value head,
// and merges it with what scratch holds of the chunks before. Vector 0 is query head `head` of the group, at position pos; the
// heads of one row follow each other, then those of the next. out, q and lse are at the group's first head in vector 0's row, kv at
// the key/value head in block 0. The last chunk writes out and lse (unless null).
EXPORT void attentionTile(float *out, i64 ldOut, float *lse, i64 ldLse, const float *q, i64 ldQ, const NUMBER *kv, i64 blockNumbers,
		const int32_t *table, i64 start, i64 pos, i64 head, i64 count, i64 group, i64 headSize, float scale, float *scratch) {
	span s = {kv, table, blockNumbers, headSize, scale, scratch + 4 * PANEL, 0, 0, start, pos + (head + count - 1) / group + 1};
	float *most = scratch, *total = most + PANEL; // of all chunks before, then of all chunks; the fresh ones follow
	float *o = s.q + HEIGHT * headSize;
	s.fresh = start == 0 ? o : o + HEIGHT * headSize;
	s.scores = o + 2 * HEIGHT * headSize;
	for (i64 i = 0, h = head; start == 0 && i < count; i++) {
		EACH_VECTOR(headSize, copy_step, s.q + i * headSize, q + h * headSize, v_set(1));
		if (++h == group) h = 0, q += ldQ;
	}
	RUN_ATTEND(scores, count, &s);
	float *freshMost = start == 0 ? most : most + 2 * PANEL;
	for (i64 i = 0, h = head, keys = pos + 1; i < count; i++) {
		exponentials(s.scores + i * CHUNK, seen(keys, start), chunk_end(&s) - start, freshMost + i);
		if (++h == group) h = 0, keys++;
	}
#if defined(KV_Q8_0)
	value_scales(&s);
#endif
	RUN_ATTEND(values, count, &s);
	for (i64 i = 0, h = head, keys = pos + 1; start > 0 && i < count; i++) {
		if (keys > start) merge(o + i * headSize, s.fresh + i * headSize, headSize, most + i);
		if (++h == group) h = 0, keys++;
	}
	if (s.last > start + CHUNK) return;
	if (lse) v_store(most, v_add(v_load(most), v_log(v_load_masked(total, v_first(count)))));
	if (HEIGHT > W && lse) v_store(most + W, v_add(v_load(most + W), v_log(v_load_masked(total + W, v_first(count - W)))));
	for (i64 i = 0, h = head; i < count; i++) {
		EACH_VECTOR(headSize, copy_step, out + h * headSize, o + i * headSize, v_set(1 / total[i]));
		if (lse) lse[h] = most[i];
		if (++h == group) {
			h = 0, out += ldOut;
			if (lse) lse += ldLse;
		}
	}
}

#if !defined(KV_BF16) && !defined(KV_F16) && !defined(KV_Q8_0)

// attentionGradient turns scores q k into probabilities, and products dout v into the gradients of the scores, for rows of one
// head: p = exp(scale * score - lse), ds = p * (dp - dout out) * scale, both 0 for keys behind the row's position and up to `keys`.
EXPORT void attentionGradient(float *p, float *ds, i64 ldScores, const float *lse, i64 ldLse, const float *dout, const float *out,
		i64 ldOut, i64 rows, i64 pos, i64 keys, i64 headSize, float scale) {
	for (i64 i = 0; i < rows; i++, p += ldScores, ds += ldScores, lse += ldLse, dout += ldOut, out += ldOut) {
		const vf delta = v_set(dot(dout, out, 0, headSize)), norm = v_set(*lse), factor = v_set(scale);
		for (i64 j = 0; j < keys; j += W) {
			const vm seen = v_first(pos + i + 1 - j);
			const vf probability = v_select(seen, v_exp(v_sub(v_mul(v_load(p + j), factor), norm)), v_zero());
			const vf gradient = v_mul(v_mul(probability, v_sub(v_load(ds + j), delta)), factor);
			v_store(p + j, probability);
			v_store(ds + j, v_select(seen, gradient, v_zero()));
		}
	}
}

#endif
