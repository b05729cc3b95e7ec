/* hmac.c - HMAC-SHA-256. */
#include "base/hmac.h"
#include "base/wipe.h"

#include <string.h>

#define BLOCK 64 /* bytes that SHA-256 takes at a time */

typedef struct sha256 {
  uint32_t state[8];
  uint64_t length; /* bytes so far */
  unsigned char block[BLOCK];
} sha256;

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64
 * primes. */
static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* Of the square roots of the first 8 primes: 5.3.3. */
static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t turn(uint32_t x, unsigned n) { return (x >> n) | (x << (32 - n)); }

static uint32_t read_word(const unsigned char *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | (uint32_t)at[3];
}

static void write_word(unsigned char *at, uint32_t x) {
  at[0] = (unsigned char)(x >> 24);
  at[1] = (unsigned char)(x >> 16);
  at[2] = (unsigned char)(x >> 8);
  at[3] = (unsigned char)x;
}

/* 6.2.2, with the names used there. */
static void compress(uint32_t state[8], const unsigned char *block) {
  uint32_t w[64];
  uint32_t v[8]; /* a to h */
  size_t t;
  for (t = 0; t < 16; t++)
    w[t] = read_word(block + 4 * t);
  for (; t < 64; t++) {
    uint32_t s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ (w[t - 15] >> 3);
    uint32_t s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = s1 + w[t - 7] + s0 + w[t - 16];
  }
  memcpy(v, state, sizeof v);
  for (t = 0; t < 64; t++) {
    uint32_t sum1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25);
    uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    uint32_t t1 = v[7] + sum1 + choice + rounds[t] + w[t];
    uint32_t sum0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22);
    uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t1;
    v[0] = t1 + sum0 + majority;
  }
  for (t = 0; t < 8; t++)
    state[t] += v[t];
  c66_wipe(w, sizeof w);
  c66_wipe(v, sizeof v);
}

static void start(sha256 *hash) {
  memcpy(hash->state, initial, sizeof initial);
  hash->length = 0;
}

static void add(sha256 *hash, const unsigned char *bytes, size_t n) {
  size_t held = (size_t)(hash->length % BLOCK);
  hash->length += n;
  if (held > 0) {
    size_t missing = BLOCK - held;
    size_t part = n < missing ? n : missing;
    memcpy(hash->block + held, bytes, part);
    bytes += part;
    n -= part;
    if (part < missing)
      return;
    compress(hash->state, hash->block);
  }
  for (; n >= BLOCK; bytes += BLOCK, n -= BLOCK)
    compress(hash->state, bytes);
  if (n > 0)
    memcpy(hash->block, bytes, n);
}

/* Pads with a bit, zeros and the length in bits; then the state is the digest. Wipes `hash`. */
static void finish(sha256 *hash, unsigned char digest[C66_HMAC_SIZE]) {
  size_t held = (size_t)(hash->length % BLOCK);
  uint64_t bits = hash->length * 8;
  size_t i;
  hash->block[held++] = 0x80;
  if (held > BLOCK - 8) {
    memset(hash->block + held, 0, BLOCK - held);
    compress(hash->state, hash->block);
    held = 0;
  }
  memset(hash->block + held, 0, BLOCK - 8 - held);
  write_word(hash->block + BLOCK - 8, (uint32_t)(bits >> 32));
  write_word(hash->block + BLOCK - 4, (uint32_t)bits);
  compress(hash->state, hash->block);
  for (i = 0; i < 8; i++)
    write_word(digest + 4 * i, hash->state[i]);
  c66_wipe(hash, sizeof *hash);
}

/* Starts a hash with the key's block, each byte combined with `with`. */
static void start_with(sha256 *hash, const unsigned char *block, unsigned char with) {
  unsigned char combined[BLOCK];
  size_t i;
  for (i = 0; i < BLOCK; i++)
    combined[i] = (unsigned char)(block[i] ^ with);
  start(hash);
  add(hash, combined, BLOCK);
  c66_wipe(combined, sizeof combined);
}

void c66_hmac(const void *key, size_t key_length, const void *message, size_t length,
              unsigned char code[C66_HMAC_SIZE]) {
  unsigned char block[BLOCK] = {0};
  unsigned char inner[C66_HMAC_SIZE];
  sha256 hash;
  if (key_length > BLOCK) {
    start(&hash);
    add(&hash, key, key_length);
    finish(&hash, block);
  } else if (key_length > 0) {
    memcpy(block, key, key_length);
  }
  start_with(&hash, block, 0x36);
  add(&hash, message, length);
  finish(&hash, inner);
  start_with(&hash, block, 0x5c);
  add(&hash, inner, sizeof inner);
  finish(&hash, code);
  c66_wipe(block, sizeof block);
  c66_wipe(inner, sizeof inner);
}
